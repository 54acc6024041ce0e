"""The snapshot of the system that the page and the event stream show."""

import time

import msgspec
import sqlalchemy as sa

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.http.api.saga_views import saga_summary, stuck_views
from order_sagas.bridges.http.api.schemas import PauseView, SagaSummary, Snapshot, moment
from order_sagas.bridges.http.api.totals import Totals
from order_sagas.bridges.operations import Paused, pauses_that_last
from order_sagas.bridges.operations.paused_steps import ServicesOfSteps
from order_sagas.bridges.operations.stuck import stuck_sagas
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.schema import sagas

ATTENTION = 20
"""Maximum number of sagas that need attention in a snapshot."""
DEADLINES = 8
"""Maximum number of sagas with the earliest deadlines in a snapshot."""


class Snapshots:
    """Makes snapshots; `totals` are the numbers of all orders and of sagas that ended.

    `orders_saga` is the saga that orders start.
    """

    def __init__(self, registry: Registry, totals: Totals, orders_saga: str) -> None:
        self._waited_for = [
            step.name
            for saga in registry.newest.values()
            for step in saga.rows
            if step.done or step.undone
        ]
        self._registry = registry
        self._services = ServicesOfSteps(registry)
        self._totals = totals
        self._orders_saga = orders_saga

    def take(self, db: sa.Connection) -> Snapshot:
        """Return counts of orders and sagas, sagas that need attention, deadlines and pauses.

        Totals may be older than the rest: see `Totals`.
        """
        now = time.time()
        in_flight = (
            sa.select(sagas.c.status, sa.func.count())
            .where(sagas.c.status.in_(queries.IN_FLIGHT))  # by the index of statuses
            .group_by(sagas.c.status)
        )
        waiting = (
            sa.select(
                sagas.c.saga,
                sagas.c.step,
                sa.func.count(),
                sa.func.min(sagas.c.deadline),
                sa.func.count(sa.case((sagas.c.deadline < now, 1))),
            )
            .where(sagas.c.ended_at.is_(None))
            .group_by(sagas.c.saga, sagas.c.step)
        )
        orders, ended = self._totals.of(db)
        by_status = ended | _counts(db, in_flight)
        pauses = pauses_that_last(db)
        names = {each.name for each in pauses}
        by_step = dict.fromkeys(self._waited_for, 0)
        oldest, overdue, paused_overdue = None, 0, 0
        for saga, step, count, deadline, late in db.execute(waiting):
            by_step[step] = by_step.get(step, 0) + count
            if self._services.paused(saga, step, names):
                paused_overdue += late
                continue
            overdue += late
            if deadline is not None and (oldest is None or deadline < oldest):
                oldest = deadline
        stuck = [*stuck_sagas(db, self._registry)]
        causes = {each.saga_id: each.cause for each in stuck}
        newest = [saga_summary(row) for row in queries.needing_attention(db, ATTENTION)]
        return Snapshot(
            at=moment(now) or "",
            orders_saga=self._orders_saga,
            orders=orders,
            sagas=by_status,
            steps=by_step,
            needs_attention=[
                msgspec.structs.replace(saga, cause=causes.get(saga.saga_id)) for saga in newest
            ],
            groups=stuck_views(stuck).groups,
            in_flight=sum(by_step.values()),
            overdue=overdue,
            paused_overdue=paused_overdue,
            oldest_deadline=moment(oldest),
            oldest_deadlines=[
                self._with_pause(saga_summary(row), names) for row in queries.oldest(db, DEADLINES)
            ],
            paused=[pause_view(each) for each in pauses],
        )

    def _with_pause(self, saga: SagaSummary, names: set[str]) -> SagaSummary:
        service = self._services.paused(saga.saga, saga.step, names)
        return msgspec.structs.replace(saga, paused=service) if service else saga


def pause_view(pause: Paused) -> PauseView:
    """Return the view of a pause."""
    return PauseView(
        name=pause.name,
        by=pause.by,
        why=pause.why,
        since=moment(pause.since) or "",
        kept=pause.kept,
    )


def _counts(db: sa.Connection, query: sa.Executable) -> dict[str, int]:
    return {row[0]: row[1] for row in db.execute(query)}
