"""Selection of sagas for a command to many: which can carry it out, and which refuse it."""

from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.messages import CancelSaga, OperatorCommand
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.places import rows_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, Status, decode_plain
from order_sagas.actors.sagas.transition import GOING, UNDOING
from order_sagas.bridges.operations.checks import check, check_reason
from order_sagas.bridges.operations.errors import NoSuchSagaError, NoSuchStepError, NotPossibleError
from order_sagas.bridges.operations.retrying import retrying_steps
from order_sagas.bridges.operations.stuck import stuck_sagas
from order_sagas.bridges.storage.queries import IN_FLIGHT
from order_sagas.bridges.storage.schema import order_keys, sagas


@attrs.frozen
class SagaFilter:
    """Selects sagas in flight that meet all conditions; an empty condition matches any."""

    saga: str = ""
    """The name of the definition."""
    statuses: tuple[str, ...] = ()
    """Names of `Status`; the saga has one of them."""
    step: str = ""
    """A step that the saga waits for, or that is stuck."""
    code: str = ""
    """The failure code of a saga that is being compensated."""
    older_than: float = 0.0
    """Minimum time since the start, in seconds."""
    limit: int | None = None
    """Maximum number of sagas; the oldest are selected."""
    saga_ids: tuple[str, ...] = ()
    """The ids of the sagas, `NAME/ORDER_ID`."""
    retrying: bool = False
    """Whether a step (`step`, if it is given) was sent more than once, or will be sent again."""
    cause: str = ""
    """The cause for which the saga is stuck, as `stuck_sagas` returns it."""


@attrs.frozen
class Chosen:
    """A saga that the command is possible for, and the command."""

    command: OperatorCommand
    status: str
    steps: tuple[str, ...]
    """The steps that the saga waits for."""
    started_at: float
    """In seconds since the Unix epoch."""


@attrs.frozen
class Choice:
    """The sagas that match a filter, oldest first.

    `chosen` would carry out the command, `refused` would not.
    """

    chosen: list[Chosen]
    refused: dict[str, str]
    """The reason of each refusal, by saga id."""
    more: bool = False
    """True if more sagas match than the limit allows."""


def usual_statuses(kind: type[OperatorCommand]) -> tuple[str, ...]:
    """The default statuses for a command: needing attention, but any status for a cancellation."""
    return () if issubclass(kind, CancelSaga) else (Status.NEEDS_ATTENTION.name,)


def choose(
    db: sa.Connection,
    registry: Registry,
    template: OperatorCommand,
    which: SagaFilter,
    now: float,
) -> Choice:
    """Find the sagas that match, and make a command from `template` for each; nothing is appended.

    Stops at the first saga beyond the limit. Raises ReasonNeededError, and NoSuchSagaError or
    NoSuchStepError if no registered definition has such a name.
    """
    check_reason(template)
    _check_names(registry, which)
    chosen: list[Chosen] = []
    refused: dict[str, str] = {}
    wanted = frozenset(which.saga_ids)
    of_cause = {
        each.saga_id
        for each in (stuck_sagas(db, registry) if which.cause else ())
        if each.cause == which.cause
    }
    for progress in _in_flight(db, which, now):
        if wanted and progress.saga_id not in wanted:
            continue  # another saga of the same order
        if which.cause and progress.saga_id not in of_cause:
            continue
        command = msgspec.structs.replace(template, order_id=progress.order_id, saga=progress.saga)
        try:
            saga = registry.get(progress.saga, progress.version)
            steps = waits_for(progress, saga)
            if which.step and which.step not in steps:
                continue
            if which.retrying and not _is_retrying(progress, registry, which.step):
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


def _is_retrying(progress: SagaState, registry: Registry, step: str) -> bool:
    return any(step in ("", each.step) for each in retrying_steps(progress, registry))


def waits_for(progress: SagaState, saga: Saga[Any]) -> tuple[str, ...]:
    """The names of the steps whose command or compensation was sent and not answered."""
    return tuple(
        step.name
        for step, state in zip(rows_of(saga, progress.items), progress.steps, strict=True)
        if state.phase in GOING or state.phase in UNDOING
    )


def _in_flight(
    db: sa.Connection,
    which: SagaFilter,
    now: float,
) -> Iterator[SagaState]:
    # The index on statuses gives the numbers, and through them the rows in order.
    numbers: Any = sa.select(sagas.c.no).where(sagas.c.status.in_(which.statuses or IN_FLIGHT))
    if which.saga_ids:
        orders = {saga_id.partition("/")[2] for saga_id in which.saga_ids}
        numbers = sa.select(order_keys.c.no).where(order_keys.c.order_id.in_(orders))
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
    # Streamed, because there may be very many.
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
