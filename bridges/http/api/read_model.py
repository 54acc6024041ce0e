"""Database queries of the HTTP server: for the API, its event stream, the metrics and the page.

Each method reads in one transaction and blocks: call it on a thread, not on an event loop.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc

from order_sagas.actors.entities import Order
from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.money import money
from order_sagas.actors.sagas.places import names_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import Phase, SagaState, Status, saga_id_of
from order_sagas.bridges.errors import StoreError, StoreUnavailableError
from order_sagas.bridges.http.api.action_schemas import RetryingGroups, RetryingGroupView
from order_sagas.bridges.http.api.schemas import (
    HistoryEntry,
    ListedSaga,
    NotificationView,
    OrderLineView,
    OrderPage,
    OrderSummary,
    OrderView,
    PauseView,
    PaymentView,
    ReservationView,
    SagaGroup,
    SagaGroups,
    SagaPage,
    SagaSummary,
    SagaView,
    Snapshot,
    StepView,
    StockLevelView,
    StockView,
    moment,
)
from order_sagas.bridges.http.api.totals import Totals
from order_sagas.bridges.operations import Paused, pauses_that_last
from order_sagas.bridges.operations.paused_steps import ServicesOfSteps
from order_sagas.bridges.operations.retrying import retrying_groups
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.reading import check_readable, one_moment, reading_engine
from order_sagas.bridges.storage.schema import order_keys, sagas, table_of
from order_sagas.bridges.storage.search import Search, search_orders, search_sagas

Row = dict[str, Any]

CLOSED = (Order.COMPLETED, Order.CANCELLED, Order.ROLLED_BACK)
"""Final statuses of an order."""
ATTENTION = 20
"""Maximum number of sagas that need attention in a snapshot."""
GROUPS = 50
"""Maximum number of groups of sagas that need attention."""
DEADLINES = 8
"""Maximum number of sagas with the earliest deadlines in a snapshot."""

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
        self._waited_for = [
            step.name
            for saga in registry.newest.values()
            for step in saga.rows
            if step.done or step.undone
        ]
        self._services = ServicesOfSteps(registry)
        self._totals = Totals(self.moment)
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

    def orders(
        self, statuses: Sequence[str], limit: int, after: int | None, prefix: str = ""
    ) -> OrderPage:
        """Return a page of orders whose ids begin with `prefix`, newest first."""
        with self.moment() as db:
            rows = queries.orders_page(db, statuses, limit + 1, after, prefix, self._orders_saga)
        more = str(rows[limit - 1]["no"]) if len(rows) > limit else None
        return OrderPage(orders=[_order_summary(row) for row in rows[:limit]], next=more)

    def find_orders(self, which: Search, limit: int, after: int | None) -> OrderPage:
        """Return a page of the orders that a search finds in a part of the history."""
        if not which.of_content:
            return self.orders(which.statuses, limit, after, which.prefix)
        with self.moment() as db:
            found = search_orders(db, which, limit, after, self._orders_saga)
        return OrderPage(
            orders=[_order_summary(row) for row in found.rows],
            next=None if found.after is None else str(found.after),
            searched_back_to=moment(found.back_to),
        )

    def find_sagas(self, which: Search, limit: int, after: tuple[int, str] | None) -> SagaPage:
        """Return a page of the sagas that a search finds in a part of the history."""
        if not (which.of_content or which.saga or which.prefix):
            return self.sagas(which.statuses, limit, after)
        with self.moment() as db:
            found = search_sagas(db, which, limit, after[0] if after else None)
        return SagaPage(
            sagas=[_listed_saga(row) for row in found.rows],
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
        found = [self.saga_view(row, progress) for row, progress in whole["sagas"]]
        own = next((each for each in found if each.saga == self._orders_saga), None)
        return OrderView(
            **_order_fields(order),
            saga_status=own.status if own else None,
            step=own.step if own else None,
            warehouse=order.get("warehouse"),
            lines=_lines(order),
            payment=_view(PaymentView, whole["payment"]),
            reservation=_view(ReservationView, whole["reservation"]),
            notification=_view(NotificationView, whole["notification"]),
            sagas=found,
        )

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
        last = rows[limit - 1] if len(rows) > limit else None
        more = f"{last['no']}.{last['saga']}" if last else None
        return SagaPage(sagas=[_listed_saga(row) for row in rows[:limit]], next=more)

    def groups(self) -> SagaGroups:
        """Return the sagas that need attention, in groups."""
        with self.moment() as db:
            return SagaGroups(groups=_groups(db))

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
        return self.saga_view(*found) if found else None

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

    def saga_view(self, row: Row, progress: SagaState) -> SagaView:
        """Return the view of a stored saga."""
        summary = _saga_summary(row)
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
                for name, state in zip(self._steps(progress), progress.steps, strict=True)
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

    def _steps(self, progress: SagaState) -> list[str]:
        """Return the step names; numbered names if the saga's definition is not registered."""
        try:
            saga = self._registry.get(progress.saga, progress.version)
        except UnknownSagaError:
            return [f"step {number}" for number in range(1, len(progress.steps) + 1)]
        return names_of(saga, progress)

    # --- the rest -----------------------------------------------------------------------------

    def stock(self) -> StockView:
        """Return the stock levels of every SKU in every warehouse."""
        with self.moment() as db:
            return StockView(stock=[StockLevelView(**row) for row in queries.stock(db)])

    def snapshot(self) -> Snapshot:
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
        with self.moment() as db:
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
            return Snapshot(
                at=moment(now) or "",
                orders_saga=self._orders_saga,
                orders=orders,
                sagas=by_status,
                steps=by_step,
                needs_attention=[
                    _saga_summary(row) for row in queries.needing_attention(db, ATTENTION)
                ],
                groups=_groups(db),
                in_flight=sum(by_step.values()),
                overdue=overdue,
                paused_overdue=paused_overdue,
                oldest_deadline=moment(oldest),
                oldest_deadlines=[
                    self._with_pause(_saga_summary(row), names)
                    for row in queries.oldest(db, DEADLINES)
                ],
                paused=[pause_view(each) for each in pauses],
            )

    def _with_pause(self, saga: SagaSummary, names: set[str]) -> SagaSummary:
        service = self._services.paused(saga.saga, saga.step, names)
        return msgspec.structs.replace(saga, paused=service) if service else saga


def _groups(db: sa.Connection) -> list[SagaGroup]:
    return [
        SagaGroup(
            saga=row["saga"],
            step=row["step"],
            code=row["code"],
            count=row["count"],
            oldest=moment(row["oldest"]) or "",
        )
        for row in queries.attention_groups(db, GROUPS)
    ]


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


def _order_fields(row: Row) -> Row:
    names = ("order_id", "status", "customer_id", "amount", "currency", "code", "reason")
    fields = {name: row.get(name) for name in names}
    times = {name: moment(row.get(name)) for name in ("created_at", "updated_at")}
    return {**fields, **times, "amount_text": _amount_text(row)}


def _amount_text(row: Row) -> str | None:
    amount = row.get("amount")
    return None if amount is None else money(amount, row.get("currency") or "")


def _order_summary(row: Row) -> OrderSummary:
    return OrderSummary(
        **_order_fields(row), saga_status=row["saga_status"], step=row["step"] or None
    )


def _saga_summary(row: Row) -> SagaSummary:
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
    )


def _listed_saga(row: Row) -> ListedSaga:
    return ListedSaga(
        **msgspec.structs.asdict(_saga_summary(row)),
        customer_id=row["customer_id"],
        amount=row["amount"],
        amount_text=_amount_text(row),
        currency=row["currency"],
    )


def _lines(row: Row) -> list[OrderLineView]:
    return msgspec.convert(row.get("lines", []), list[OrderLineView])


def _view(kind: type[Any], row: Row | None) -> Any:
    """Build a view from the fields of an entity's row that the view has."""
    if row is None:
        return None
    fields = {name: row[name] for name in kind.__struct_fields__ if name in row}
    fields["updated_at"] = moment(row["updated_at"])
    if "amount" in fields:
        fields["amount_text"] = _amount_text(row)
    if "lines" in fields:
        fields["lines"] = _lines(row)
    return kind(**fields)
