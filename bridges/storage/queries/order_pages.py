"""Orders, newest first, each with the status of its saga."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.bridges.storage.queries.result import Row, any_of, rows_of
from order_sagas.bridges.storage.schema import order_keys, pruned, sagas, table_of
from order_sagas.bridges.storage.waiting_orders import waiting_numbers

SUBMITTED = "SUBMITTED"
"""The status of an order whose record waits in the log."""
ORDER_STATUSES = (SUBMITTED, Order.CREATED, Order.ROLLED_BACK, Order.COMPLETED, Order.CANCELLED)

ORDERS_SAGA = PLACE_ORDER.name
"""The saga of orders, if the caller does not know better: an app may have another one."""

_orders = table_of(Order)
STATUS = sa.func.coalesce(_orders.c.status, SUBMITTED)
"""The status of an order in a query that joins `orders` to `order_keys`."""


def orders(
    db: sa.Connection,
    statuses: Sequence[str] = (),
    limit: int | None = None,
    saga: str = ORDERS_SAGA,
) -> list[Row]:
    """Return orders, newest first, each with the status and the current step of its `saga`."""
    return rows_of(db, _newest_orders(orders_query(saga), statuses, limit))


def orders_page(
    db: sa.Connection,
    statuses: Sequence[str],
    limit: int,
    after: int | None = None,
    saga: str = ORDERS_SAGA,
) -> list[Row]:
    """A page of orders, newest first, as `orders` has them, each with its number `no`.

    The page holds orders older than the one numbered `after`.
    """
    query = orders_query(saga).add_columns(order_keys.c.no)
    return rows_of(db, _newest_orders(query, statuses, limit, after))


def numbers_of_orders() -> Any:
    """Return the query for the numbers of all orders, those that wait in the log among them.

    They have the status STATUS.
    """
    waiting = sa.and_(order_keys.c.fingerprint.is_not(None), pruned.c.no.is_(None))
    return (
        sa.select(order_keys.c.no)
        .outerjoin(_orders, _orders.c.no == order_keys.c.no)
        .outerjoin(pruned, pruned.c.no == order_keys.c.no)
        .where(sa.or_(_orders.c.no.is_not(None), waiting))
    )


def _newest_orders(
    query: sa.Select[Any], statuses: Sequence[str], limit: int | None, after: int | None = None
) -> sa.Select[Any]:
    """Limit a query to the newest orders in these statuses, or of all, using the indexes."""
    stored = [_orders.c.status == each for each in statuses if each != SUBMITTED]
    parts = [sa.select(_orders.c.no).where(of_status) for of_status in stored]
    if not statuses:
        parts = [sa.select(_orders.c.no)]
    if after is not None:
        parts = [part.where(_orders.c.no < after) for part in parts]
    parts = [part.order_by(_orders.c.no.desc()).limit(limit) for part in parts]
    if not statuses or SUBMITTED in statuses:
        parts += waiting_numbers(limit, after)
    return query.where(order_keys.c.no.in_(any_of(parts))).limit(limit)


def orders_query(saga: str) -> sa.Select[Any]:
    """Return the query for orders, newest first, each with the status and step of its `saga`."""
    return (  # pyright: ignore[reportReturnType]  # more columns than SQLAlchemy's types count
        sa.select(
            order_keys.c.order_id,
            STATUS.label("status"),
            _orders.c.customer_id,
            _orders.c.amount,
            _orders.c.currency,
            _orders.c.code,
            _orders.c.reason,
            _orders.c.created_at,
            _orders.c.updated_at,
            sagas.c.status.label("saga_status"),
            sagas.c.step,
        )
        .select_from(
            order_keys.outerjoin(_orders, _orders.c.no == order_keys.c.no).outerjoin(
                sagas, sa.and_(sagas.c.no == order_keys.c.no, sagas.c.saga == saga)
            )
        )
        .order_by(order_keys.c.no.desc())
    )


def order_counts(db: sa.Connection) -> dict[str, int]:
    """Return the number of orders in each status."""
    query = sa.select(_orders.c.status, sa.func.count()).group_by(_orders.c.status)
    found = {row[0]: row[1] for row in db.execute(query)}
    waiting = db.execute(
        sa.select(sa.func.count()).select_from(any_of(waiting_numbers(None)).subquery())
    ).scalar_one()
    return found | ({SUBMITTED: waiting} if waiting else {})
