"""Which sagas of many an operator means, and what becomes of the question for each."""

from collections.abc import Iterator

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.messages import CancelSaga, OperatorCommand
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, Status, decode_plain
from order_sagas.actors.sagas.transition import GOING, UNDOING
from order_sagas.bridges.operations.checks import check, check_reason
from order_sagas.bridges.operations.errors import NoSuchSagaError, NoSuchStepError, NotPossibleError
from order_sagas.bridges.storage.queries import IN_FLIGHT
from order_sagas.bridges.storage.schema import sagas


@attrs.frozen
class SagaFilter:
    """Sagas in flight that fit all of it; what is empty fits any."""

    saga: str = ""
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
    """Ids of sagas, each with the reason."""
    more: bool = False
    """Whether others fit that the limit leaves out."""


def usual_statuses(kind: type[OperatorCommand]) -> tuple[str, ...]:
    """Which sagas are meant where nobody says it: stuck ones, but any can be cancelled."""
    return () if issubclass(kind, CancelSaga) else (Status.NEEDS_ATTENTION.name,)


def choose(
    db: sa.Connection,
    registry: Registry,
    template: OperatorCommand,
    which: SagaFilter,
    now: float,
) -> Choice:
    """Find the sagas that fit, and make the command for each of `template`; nothing is sent.

    Of more than the limit, it looks on only until it knows of one that is left out.

    Raises ReasonNeededError, and NoSuchSagaError or NoSuchStepError if no definition that is
    registered has such a name.
    """
    check_reason(template)
    _check_names(registry, which)
    chosen: list[Chosen] = []
    refused: dict[str, str] = {}
    for progress in _in_flight(db, which, now):
        command = msgspec.structs.replace(template, order_id=progress.order_id, saga=progress.saga)
        try:
            saga = registry.get(progress.saga, progress.version)
            steps = waits_for(progress, saga)
            if which.step and which.step not in steps:
                continue
            check(command, progress, saga)
        except NotPossibleError as error:
            refused[progress.saga_id] = error.reason
        except (UnknownSagaError, NoSuchStepError) as error:
            refused[progress.saga_id] = str(error)
        else:
            if len(chosen) == which.limit:
                return Choice(chosen, refused, more=True)
            status = Status(progress.status).name
            chosen.append(Chosen(command, status, steps, progress.started_at))
    return Choice(chosen, refused)


def waits_for(progress: SagaState, saga: Saga) -> tuple[str, ...]:
    """The steps that were sent and not answered, or whose compensation was."""
    return tuple(
        step.name
        for step, state in zip(saga.rows, progress.steps, strict=True)
        if state.phase in GOING or state.phase in UNDOING
    )


def _in_flight(
    db: sa.Connection,
    which: SagaFilter,
    now: float,
) -> Iterator[SagaState]:
    # The index of statuses gives their numbers, and those their rows, already in order.
    numbers = sa.select(sagas.c.no).where(sagas.c.status.in_(which.statuses or IN_FLIGHT))
    query = (
        sa.select(sagas.c.state)
        .where(sagas.c.no.in_(numbers), sagas.c.ended_at.is_(None))
        .order_by(sagas.c.no)
    )
    if which.saga:
        query = query.where(sagas.c.saga == which.saga)
    if which.statuses:
        query = query.where(sagas.c.status.in_(which.statuses))
    if which.code:
        query = query.where(sagas.c.code == which.code)
    if which.older_than:
        query = query.where(sagas.c.started_at <= now - which.older_than)
    # Read as they are used: there may be very many.
    found = db.execution_options(stream_results=True).execute(query)
    for (raw,) in found.yield_per(500):
        yield decode_plain(raw)


def _check_names(registry: Registry, which: SagaFilter) -> None:
    versions = [saga for saga in registry if which.saga in ("", saga.name)]
    if not versions:
        raise NoSuchSagaError(
            f"there is no saga {which.saga!r}; there are {listed(registry.newest)}"
        )
    names = dict.fromkeys(step.name for saga in versions for step in saga.rows)
    if which.step and which.step not in names:
        raise NoSuchStepError(f"there is no step {which.step!r}; there are {listed(names)}")
