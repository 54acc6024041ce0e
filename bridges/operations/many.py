"""Which sagas of many an operator means, and what becomes of the question for each."""

from collections.abc import Iterator

import attrs
import msgspec
import sqlalchemy as sa

from actors.messages import OperatorCommand
from actors.sagas.definition import Saga
from actors.sagas.progress import Progress, Status
from actors.sagas.registry import Registry
from actors.sagas.turn import GOING, UNDOING
from bridges.operations.checks import check, check_reason, listed
from bridges.operations.errors import NoSuchSagaError, NoSuchStepError, NotPossibleError
from bridges.store.schema import sagas

_progress = msgspec.json.Decoder(Progress)


@attrs.frozen
class SagaFilter:
    """Sagas in flight that fit all of it; what is empty fits any."""

    saga: str
    """The name of their definition."""
    statuses: tuple[str, ...] = ()
    step: str = ""
    """A step that they wait for, or are stuck in."""
    code: str = ""
    """Why they are being undone."""
    older_than: float = 0.0
    """Seconds since they began, at least."""
    limit: int | None = None
    """So many at most, the oldest."""


@attrs.frozen
class Chosen:
    """A saga that would do as it is told, and the command that tells it."""

    command: OperatorCommand
    status: str
    steps: tuple[str, ...]
    """What it waits for."""
    started_at: float


@attrs.frozen
class Choice:
    """The sagas that fit a filter: those that would do as they are told, and those that would not.

    The oldest come first.
    """

    chosen: list[Chosen]
    refused: dict[str, str]
    """Order ids, each with the reason."""


def choose(
    db: sa.Connection,
    registry: Registry,
    template: OperatorCommand,
    which: SagaFilter,
    now: float,
) -> Choice:
    """Find the sagas that fit, and make the command for each of `template`; nothing is sent.

    Raises ReasonNeededError, and NoSuchSagaError or NoSuchStepError if no definition that is
    registered has such a name.
    """
    check_reason(template)
    _check_names(registry, which)
    choice = Choice([], {})
    for progress in _fitting(db, registry, which, now):
        if len(choice.chosen) == which.limit:
            break
        saga = registry.get(progress.saga, progress.version)
        command = msgspec.structs.replace(template, order_id=progress.order_id, saga=progress.saga)
        try:
            check(command, progress, saga)
        except NotPossibleError as error:
            choice.refused[progress.order_id] = error.reason
            continue
        status, steps = Status(progress.status).name, waits_for(progress, saga)
        choice.chosen.append(Chosen(command, status, steps, progress.started_at))
    return choice


def waits_for(progress: Progress, saga: Saga) -> tuple[str, ...]:
    """The steps that were sent and not answered, or whose compensation was."""
    return tuple(
        step.name
        for step, state in zip(saga.rows, progress.steps, strict=True)
        if state.phase in GOING or state.phase in UNDOING
    )


def _fitting(
    db: sa.Connection, registry: Registry, which: SagaFilter, now: float
) -> Iterator[Progress]:
    for progress in _in_flight(db, which, now):
        saga = registry.get(progress.saga, progress.version)
        if not which.step or which.step in waits_for(progress, saga):
            yield progress


def _in_flight(
    db: sa.Connection,
    which: SagaFilter,
    now: float,
) -> Iterator[Progress]:
    query = (
        sa.select(sagas.c.progress)
        .where(sagas.c.ended_at.is_(None), sagas.c.saga == which.saga)
        .order_by(sagas.c.no)
    )
    if which.statuses:
        query = query.where(sagas.c.status.in_(which.statuses))
    if which.code:
        query = query.where(sagas.c.code == which.code)
    if which.older_than:
        query = query.where(sagas.c.started_at <= now - which.older_than)
    # Read as they are used: there may be very many.
    found = db.execution_options(stream_results=True).execute(query)
    for (raw,) in found.yield_per(500):
        yield _progress.decode(raw)


def _check_names(registry: Registry, which: SagaFilter) -> None:
    versions = [saga for saga in registry if saga.name == which.saga]
    if not versions:
        raise NoSuchSagaError(
            f"there is no saga {which.saga!r}; there are {listed(registry.newest)}"
        )
    names = dict.fromkeys(step.name for saga in versions for step in saga.rows)
    if which.step and which.step not in names:
        raise NoSuchStepError(f"there is no step {which.step!r}; there are {listed(names)}")
