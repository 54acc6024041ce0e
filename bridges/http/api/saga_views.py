"""Views of sagas, made of rows and states."""

from collections.abc import Sequence

import msgspec

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.sagas.places import states_by_name
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import Phase, SagaState, StepState, saga_id_of
from order_sagas.bridges.http.api.order_views import amount_text
from order_sagas.bridges.http.api.schemas import (
    HistoryEntry,
    ListedSaga,
    SagaGroup,
    SagaGroups,
    SagaSummary,
    SagaView,
    StepView,
    moment,
)
from order_sagas.bridges.operations.stuck import LOOKED_AT, Stuck, groups_of
from order_sagas.bridges.storage.queries.result import Row

GROUPS = 50
"""Maximum number of groups of sagas that need attention."""


def saga_summary(row: Row) -> SagaSummary:
    """Return the view of a row of `queries.sagas_of`."""
    return SagaSummary(
        saga_id=saga_id_of(row["saga"], row["order_id"]),
        order_id=row["order_id"],
        saga=row["saga"],
        version=row["version"],
        status=row["status"],
        step=row["step"],
        deadline=moment(row["deadline"]),
        code=row["code"],
        reason=row["reason"],
        started_at=moment(row["started_at"]) or "",
        ended_at=moment(row["ended_at"]),
        paused=None,
        cause=None,
    )


def listed_saga(row: Row) -> ListedSaga:
    """Return the view of a row of `queries.sagas_of`, with what is known of its order."""
    return ListedSaga(
        **msgspec.structs.asdict(saga_summary(row)),
        customer_id=row["customer_id"],
        amount=row["amount"],
        amount_text=amount_text(row),
        currency=row["currency"],
    )


def stuck_views(found: Sequence[Stuck]) -> SagaGroups:
    """Return the sagas that need attention, in groups."""
    return SagaGroups(
        groups=[
            SagaGroup(
                saga=each.saga,
                step=each.step,
                code=each.code,
                cause=each.cause,
                count=each.count,
                since=moment(each.since) or "",
                oldest=moment(each.oldest) or "",
            )
            for each in groups_of(found)[:GROUPS]
        ],
        more=len(found) == LOOKED_AT,
    )


def saga_view(row: Row, progress: SagaState, registry: Registry) -> SagaView:
    """Return the view of a stored saga."""
    summary = saga_summary(row)
    return SagaView(
        **msgspec.structs.asdict(summary),
        steps=[
            StepView(
                step=name,
                phase=Phase(state.phase).name,
                attempt=state.attempt,
                since=moment(state.since),
                deadline=moment(state.deadline),
            )
            for name, state in _states(progress, registry)
        ],
        history=[
            HistoryEntry(
                at=moment(entry.at) or "",
                event=entry.event,
                step=entry.step,
                attempt=entry.attempt,
                cause=entry.cause,
                note=entry.note,
                times=entry.times,
                last=moment(entry.last),
                offset=round(entry.at - progress.started_at, 6),
            )
            for entry in progress.history
        ],
    )


def _states(progress: SagaState, registry: Registry) -> list[tuple[str, StepState]]:
    """Pair each step's name with its state; numbers if the definition is not registered."""
    try:
        saga = registry.get(progress.saga, progress.version)
    except UnknownSagaError:
        return [(f"step {number}", state) for number, state in enumerate(progress.steps, 1)]
    return states_by_name(saga, progress)
