"""Sagas whose steps are being retried, in groups: not stuck yet, and perhaps soon.

Only the sagas in flight with the earliest deadlines are looked at, which are those that were sent
or will be sent again soon, so that the answer takes a bounded time.
"""

from collections.abc import Iterator
from typing import Any

import attrs
import sqlalchemy as sa

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.places import rows_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import (
    ASKED,
    BACKOFF,
    SENT,
    UNDO_BACKOFF,
    UNDO_SENT,
    SagaState,
    decode_plain,
)
from order_sagas.bridges.storage import queries

LOOKED_AT = 2000
"""Maximum number of sagas in flight that are looked at."""

_AGAIN = (BACKOFF, UNDO_BACKOFF)
_UNDOING = (UNDO_SENT, UNDO_BACKOFF)
_WAITING = (SENT, ASKED, UNDO_SENT)
_CAUSES = {
    "saga.step_timed_out": "no answer",
    "saga.undo_timed_out": "no answer",
    "saga.outcome_asked": "no answer",
}


@attrs.frozen
class Retrying:
    """A step of a saga that was sent more than once, or will be sent again.

    `since` is the start of the saga, `next_at` the time of the next attempt or of the deadline of
    this one; both in seconds since the Unix epoch.
    """

    saga: str
    step: str
    undo: bool
    """Whether its compensation is retried."""
    cause: str
    attempt: int
    since: float
    next_at: float


@attrs.define
class RetryingGroup:
    """Sagas that retry the same step for the same cause."""

    saga: str
    step: str
    undo: bool
    cause: str
    count: int
    attempt: int
    """The highest attempt."""
    oldest: float
    """Start of the oldest saga, in seconds since the Unix epoch."""
    next_at: float
    """The earliest next attempt, or deadline, in seconds since the Unix epoch."""


def retrying_groups(db: sa.Connection, registry: Registry) -> tuple[list[RetryingGroup], bool]:
    """Return the groups, the one with the oldest saga first, and whether more sagas are in flight.

    "More" means that not all sagas in flight were looked at.
    """
    states = queries.states_by_deadline(db, LOOKED_AT)
    groups: dict[tuple[str, str, bool, str], RetryingGroup] = {}
    for raw in states:
        for each in retrying_steps(decode_plain(raw), registry):
            key = (each.saga, each.step, each.undo, each.cause)
            group = groups.get(key)
            if group is None:
                groups[key] = RetryingGroup(*key, 1, each.attempt, each.since, each.next_at)
                continue
            group.count += 1
            group.attempt = max(group.attempt, each.attempt)
            group.oldest = min(group.oldest, each.since)
            group.next_at = min(group.next_at, each.next_at)
    found = sorted(groups.values(), key=lambda group: (group.oldest, group.saga, group.step))
    return found, len(states) == LOOKED_AT


def retrying_steps(progress: SagaState, registry: Registry) -> Iterator[Retrying]:
    """Return the steps of a saga that are being retried; none of an unknown definition."""
    try:
        saga: Saga[Any] = registry.get(progress.saga, progress.version)
    except UnknownSagaError:
        return
    for row, state in zip(rows_of(saga, progress.items), progress.steps, strict=True):
        again = state.phase in _AGAIN or (state.phase in _WAITING and state.attempt > 1)
        if not again or row.kind in ("wait", "delay") or row.repeat_every:
            continue  # a step that repeats its message while it waits is not failing
        yield Retrying(
            saga=progress.saga,
            step=row.name,
            undo=state.phase in _UNDOING,
            cause=_cause(progress, row.name),
            attempt=state.attempt,
            since=progress.started_at,
            next_at=state.deadline,
        )


def _cause(progress: SagaState, step: str) -> str:
    for entry in reversed(progress.history):
        if entry.step == step and entry.event not in ("saga.step_retried", "saga.undo_retried"):
            return entry.note or _CAUSES.get(entry.event, entry.event.removeprefix("saga."))
    return "no answer"
