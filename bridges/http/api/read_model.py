"""Database queries of the HTTP server: for the API, its event stream, the metrics and the page.

Each method reads in one transaction and blocks: call it on a thread, not on an event loop.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy import exc

from order_sagas.actors.entities import Order
from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, Status
from order_sagas.bridges.errors import StoreError, StoreUnavailableError
from order_sagas.bridges.http.api.action_schemas import RetryingGroups, RetryingGroupView
from order_sagas.bridges.http.api.order_views import order_summary, order_view
from order_sagas.bridges.http.api.saga_detail_views import EarlyReplies, EarlyReply
from order_sagas.bridges.http.api.saga_views import (
    GROUPS,
    listed_saga,
    saga_view,
    stuck_views,
)
from order_sagas.bridges.http.api.schemas import (
    OrderPage,
    OrderView,
    SagaGroups,
    SagaPage,
    SagaView,
    Snapshot,
    StockLevelView,
    StockView,
    moment,
)
from order_sagas.bridges.http.api.snapshot import Snapshots
from order_sagas.bridges.http.api.totals import Totals
from order_sagas.bridges.operations.retrying import retrying_groups
from order_sagas.bridges.operations.stuck import stuck_sagas
from order_sagas.bridges.operations.wait_ends import with_ends_of_waits
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.queries.result import Row
from order_sagas.bridges.storage.reading import check_readable, one_moment, reading_engine
from order_sagas.bridges.storage.schema import order_keys, sagas, table_of
from order_sagas.bridges.storage.search import Search, search_orders, search_sagas

CLOSED = (Order.COMPLETED, Order.CANCELLED, Order.ROLLED_BACK)
"""Final statuses of an order."""

_orders = table_of(Order)


class ReadModel:
    """Reads through a small pool of connections.

    Methods raise StoreUnavailableError if the database cannot be reached, StoreError if it fails.
    """

    def __init__(self, database: str, registry: Registry) -> None:
        self._registry = registry
        starts = registry.started_by.get(OrderCreated)
        self._orders_saga = starts.name if starts else ""
        """The saga that orders start; empty if the app takes no orders."""
        self._totals = Totals(self.moment)
        self._snapshots = Snapshots(registry, self._totals, self._orders_saga)
        self._engine = reading_engine(database, pool_pre_ping=True)
        self._fits = False
        """Whether the database was found to have the schema version of this program."""

    @property
    def takes_orders(self) -> bool:
        """True if orders start a saga."""
        return bool(self._orders_saga)

    def close(self) -> None:
        """Close the pooled connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def moment(self) -> Iterator[sa.Connection]:
        """Open a connection in a transaction that is rolled back at the end.

        Raises StoreUnavailableError if the database cannot be reached, StoreError for others.
        """
        try:
            with one_moment(self._engine) as connection:
                if not self._fits:
                    check_readable(connection)
                    self._fits = True
                yield connection
        except (exc.OperationalError, exc.TimeoutError) as error:
            words = getattr(error, "orig", None) or error
            raise StoreUnavailableError(f"the database can't be read: {words}") from error
        except exc.DBAPIError as error:
            raise StoreError(f"the database can't be read: {error.orig}") from error

    def check(self) -> None:
        """Raise StoreError unless the database answers."""
        with self.moment() as db:
            db.execute(sa.select(order_keys.c.no).limit(1)).first()

    # --- orders -------------------------------------------------------------------------------

    def orders(self, statuses: Sequence[str], limit: int, after: int | None) -> OrderPage:
        """Return a page of orders, newest first."""
        with self.moment() as db:
            rows = queries.orders_page(db, statuses, limit + 1, after, self._orders_saga)
        more = str(rows[limit - 1]["no"]) if len(rows) > limit else None
        return OrderPage(orders=[order_summary(row) for row in rows[:limit]], next=more)

    def find_orders(self, which: Search, limit: int, after: int | None) -> OrderPage:
        """Return a page of the orders that a search finds in a part of the history."""
        if not (which.of_content or which.prefix):
            return self.orders(which.statuses, limit, after)
        with self.moment() as db:
            found = search_orders(db, which, limit, after, self._orders_saga)
        return OrderPage(
            orders=[order_summary(row) for row in found.rows],
            next=None if found.after is None else str(found.after),
            searched_back_to=moment(found.back_to),
        )

    def find_sagas(
        self, which: Search, limit: int, after: tuple[int, str] | None, cause: str = ""
    ) -> SagaPage:
        """Return a page of the sagas that a search finds in a part of the history.

        For stuck sagas it has the cause. With `cause`, it has only the sagas stuck for this cause.
        """
        page = self._found_sagas(which, limit, after)
        attention = Status.NEEDS_ATTENTION.name
        if ids := {saga.order_id for saga in page.sagas if saga.status == attention}:
            with self.moment() as db:
                stuck = stuck_sagas(db, self._registry, ids)
                causes = {each.saga_id: each.cause for each in stuck}
            found = [replace(saga, cause=causes.get(saga.saga_id)) for saga in page.sagas]
            page = replace(page, sagas=found)
        if cause:
            page = replace(page, sagas=[saga for saga in page.sagas if saga.cause == cause])
        return page

    def _found_sagas(self, which: Search, limit: int, after: tuple[int, str] | None) -> SagaPage:
        if not (which.of_content or which.saga or which.prefix):
            return self.sagas(which.statuses, limit, after)
        with self.moment() as db:
            found = search_sagas(db, which, limit, after[0] if after else None)
            rows = with_ends_of_waits(db, self._registry, found.rows)
        return SagaPage(
            sagas=[listed_saga(row) for row in rows],
            next=None if found.after is None else f"{found.after}.-",
            searched_back_to=moment(found.back_to),
        )

    def order(self, order_id: str) -> OrderView | None:
        """Return an order with its services' entities and sagas; None if the id is unknown."""
        with self.moment() as db:
            whole = queries.order(db, order_id)
        if whole is None:
            return None
        order = whole["order"] or whole.get("pruned")
        own_sagas = [row for row, _ in whole["sagas"] if row["saga"] == self._orders_saga]
        if order is None and not own_sagas:
            return None  # an id of something else, such as a stock delivery, or of other sagas
        order = {"order_id": order_id, "status": queries.SUBMITTED, **(order or {})}
        found = [saga_view(row, progress, self._registry) for row, progress in whole["sagas"]]
        return order_view(order, whole, found, self._orders_saga)

    def submitter(self, order_id: str) -> str | None:
        """Return the name of the token that submitted an order; None if it had none."""
        query = sa.select(order_keys.c.submitter).where(order_keys.c.order_id == order_id)
        with self.moment() as db:
            found: str | None = db.execute(query).scalar()
        return found

    def ended(self, order_ids: Sequence[str]) -> set[str]:
        """Return the given orders that have ended, or whose saga needs attention."""
        query = (
            sa.select(order_keys.c.order_id)
            .select_from(
                order_keys.outerjoin(_orders, _orders.c.no == order_keys.c.no).outerjoin(
                    sagas, sagas.c.no == order_keys.c.no
                )
            )
            .where(
                order_keys.c.order_id.in_(order_ids),
                sa.or_(
                    _orders.c.status.in_(CLOSED),
                    sagas.c.status == Status.NEEDS_ATTENTION.name,
                ),
            )
        )
        with self.moment() as db:
            return {order_id for (order_id,) in db.execute(query)}

    # --- sagas --------------------------------------------------------------------------------

    def sagas(self, statuses: Sequence[str], limit: int, after: tuple[int, str] | None) -> SagaPage:
        """Return a page of sagas, newest first."""
        with self.moment() as db:
            rows = queries.sagas_page(db, statuses, limit + 1, after)
            rows = with_ends_of_waits(db, self._registry, rows)
        last = rows[limit - 1] if len(rows) > limit else None
        more = f"{last['no']}.{last['saga']}" if last else None
        return SagaPage(sagas=[listed_saga(row) for row in rows[:limit]], next=more)

    def groups(self) -> SagaGroups:
        """Return the sagas that need attention, in groups."""
        with self.moment() as db:
            return stuck_views([*stuck_sagas(db, self._registry)])

    def early(self, limit: int) -> EarlyReplies:
        """Return the oldest replies that are kept because they came too early."""
        with self.moment() as db:
            replies = [
                EarlyReply(**{**row, "at": moment(row["at"]) or ""})
                for row in queries.early(db, limit)
            ]
            return EarlyReplies(replies=replies, count=queries.early_count(db))

    def retrying(self) -> RetryingGroups:
        """Return the sagas that retry a step, in groups."""
        with self.moment() as db:
            groups, more = retrying_groups(db, self._registry)
        return RetryingGroups(
            groups=[
                RetryingGroupView(
                    saga=each.saga,
                    step=each.step,
                    undo=each.undo,
                    cause=each.cause,
                    count=each.count,
                    attempt=each.attempt,
                    oldest=moment(each.oldest) or "",
                    next_at=moment(each.next_at),
                )
                for each in groups[:GROUPS]
            ],
            more=more,
        )

    def saga(self, name: str) -> SagaView | None:
        """Return the saga with this id, or the only saga of the order with this id, or None."""
        with self.moment() as db:
            found = self.find_saga(db, name)
        return saga_view(*found, self._registry) if found else None

    @staticmethod
    def find_saga(db: sa.Connection, name: str) -> tuple[Row, SagaState] | None:
        """Return the row and the state of a saga that is named as for `saga`, or None."""
        definition, _, order_id = name.partition("/")
        exact = queries.order(db, order_id) if order_id else None
        for row, progress in (exact or {"sagas": ()})["sagas"]:
            if row["saga"] == definition:
                return row, progress
        found = (queries.order(db, name) or {"sagas": ()})["sagas"]
        return found[0] if len(found) == 1 else None

    # --- the rest -----------------------------------------------------------------------------

    def stock(self) -> StockView:
        """Return the stock levels of every SKU in every warehouse."""
        with self.moment() as db:
            return StockView(stock=[StockLevelView(**row) for row in queries.stock(db)])

    def snapshot(self) -> Snapshot:
        """Return counts of orders and sagas, sagas that need attention, deadlines and pauses.

        Totals may be older than the rest: see `Totals`.
        """
        with self.moment() as db:
            return self._snapshots.take(db)
