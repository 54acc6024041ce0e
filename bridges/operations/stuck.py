"""Sagas that need attention, grouped by the step that is stuck, and the cause.

Only the oldest ones are read, so that the time is bounded.
"""

from collections.abc import Collection, Iterable, Iterator

import attrs
import sqlalchemy as sa

from order_sagas.actors.entities import Payment
from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.participants import PAYMENTS
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import HistoryEntry, SagaState, Status, decode_plain
from order_sagas.actors.sagas.transition import IGNORED
from order_sagas.bridges.operations.letters import LONGEST_KIND, kind_of
from order_sagas.bridges.redaction import redacted
from order_sagas.bridges.storage.schema import order_keys, sagas, table_of

LOOKED_AT = 5000
"""Maximum number of sagas that are read."""
NO_ANSWER = "no answer"

_NOT_ANSWERED = ("saga.step_timed_out", "saga.undo_timed_out", "saga.outcome_asked")
_SENT_AGAIN = ("saga.step_retried", "saga.undo_retried")
_payments = table_of(Payment)


@attrs.frozen
class Stuck:
    """A saga that needs attention. Times are in seconds since the Unix epoch."""

    saga_id: str
    saga: str
    step: str
    """The steps that it waits for or is stuck in, in the form of the column `step`."""
    code: str
    """The failure code that it is compensated for; empty if it is stuck on the way forward."""
    cause: str
    """Why the step is stuck, without quoted texts and numbers, which differ between orders."""
    since: float
    """When it got stuck."""
    started_at: float


@attrs.define
class StuckGroup:
    """Sagas that are stuck in the same step for the same cause, and compensated for one code.

    Times are in seconds since the Unix epoch.
    """

    saga: str
    step: str
    code: str
    cause: str
    count: int
    since: float
    """When the first of them got stuck."""
    oldest: float
    """Start of the oldest saga."""


def groups_of(found: Iterable[Stuck]) -> list[StuckGroup]:
    """Return the groups of sagas, the one that is stuck for the longest time first."""
    groups: dict[tuple[str, str, str, str], StuckGroup] = {}
    for each in found:
        key = (each.saga, each.step, each.code, each.cause)
        group = groups.setdefault(key, StuckGroup(*key, 0, each.since, each.started_at))
        group.count += 1
        group.since = min(group.since, each.since)
        group.oldest = min(group.oldest, each.started_at)
    return sorted(groups.values(), key=lambda group: (group.since, group.saga, group.step))


def stuck_sagas(
    db: sa.Connection, registry: Registry, order_ids: Collection[str] | None = None
) -> Iterator[Stuck]:
    """Yield the sagas that need attention, the oldest first, at most LOOKED_AT.

    With `order_ids`, only those of these orders.
    """
    query = (
        sa.select(sagas.c.state, sagas.c.step, _payments.c.reason)
        .select_from(
            sagas.outerjoin(
                _payments,
                sa.and_(_payments.c.no == sagas.c.no, _payments.c.status == Payment.PENDING),
            )
        )
        .where(sagas.c.status == Status.NEEDS_ATTENTION.name)
        .order_by(sagas.c.no)
        .limit(LOOKED_AT)
    )
    if order_ids is not None:
        numbers = sa.select(order_keys.c.no).where(order_keys.c.order_id.in_(order_ids))
        query = query.where(sagas.c.no.in_(numbers))
    for raw, step, refused in db.execute(query):
        progress = decode_plain(raw)
        stuck_in, cause, since = why_stuck(progress)
        if refused and cause == NO_ANSWER and _is_paid(progress, stuck_in, registry):
            cause = _words(refused)  # the error of the provider is only in the payment
        yield Stuck(
            progress.saga_id, progress.saga, step, progress.code, cause, since,
            progress.started_at,
        )  # fmt: skip


def why_stuck(progress: SagaState) -> tuple[str, str, float]:
    """Return the step that got stuck last and is still stuck, the cause, and the time."""
    return next(_stuck_steps(progress), ("", NO_ANSWER, progress.started_at))


def causes_of(
    db: sa.Connection, no: int, progress: SagaState, registry: Registry
) -> dict[str, str]:
    """Return the causes of the stuck steps, by name. `no` is the number of the saga's order."""
    causes = {step: cause for step, cause, _ in _stuck_steps(progress)}
    for step, cause in causes.items():
        if cause == NO_ANSWER and _is_paid(progress, step, registry):
            pending = sa.and_(_payments.c.no == no, _payments.c.status == Payment.PENDING)
            refused = db.execute(sa.select(_payments.c.reason).where(pending)).scalar()
            causes[step] = _words(refused or "") or cause
    return causes


def _stuck_steps(progress: SagaState) -> Iterator[tuple[str, str, float]]:
    """Yield the stuck steps, each with cause and time, the last one first."""
    later: set[str] = set()
    history = progress.history
    for place in range(len(history) - 1, -1, -1):
        entry = history[place]
        if entry.event == "saga.needs_attention" and entry.step not in later:
            yield entry.step, _cause(history[:place], entry), entry.at
        if entry.event != IGNORED:
            later.add(entry.step)


def _cause(before: tuple[HistoryEntry, ...], stuck: HistoryEntry) -> str:
    """Return why a step got stuck, from the event of this step before that."""
    for entry in reversed(before):
        if entry.step != stuck.step or entry.event in _SENT_AGAIN or entry.event == IGNORED:
            continue
        if entry.event in _NOT_ANSWERED:
            return NO_ANSWER
        if entry.event == "saga.step_refused" and entry.note:
            return _words(entry.note)
        break
    return _words(stuck.note) or NO_ANSWER


def _words(text: str) -> str:
    return redacted(kind_of(text))[:LONGEST_KIND]


def _is_paid(progress: SagaState, step: str, registry: Registry) -> bool:
    """Whether the step is one of the payment service."""
    try:
        row = registry.get(progress.saga, progress.version).row_named(step)
    except UnknownSagaError:
        return False
    return row is not None and row.to.name == PAYMENTS.name
