"""Stock levels: what is on hand, held and sold."""

from typing import Any

import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import Order, Reservation, StockLevel
from order_sagas.actors.messages import OrderLine
from order_sagas.bridges.storage.queries.result import Row, rows_of
from order_sagas.bridges.storage.schema import sagas, table_of
from order_sagas.bridges.storage.waiting_orders import numbers_without_order

_orders, _reservations, _stock = table_of(Order), table_of(Reservation), table_of(StockLevel)
_lines = msgspec.json.Decoder(tuple[OrderLine, ...])


def stock(db: sa.Connection, sku: str | None = None) -> list[Row]:
    """Return each SKU of each warehouse: loaded = on_hand + held + sold.

    `held` is reserved for orders in flight, or for cancelled ones whose release an operator
    skipped; `sold` belongs to completed ones. If the stock service runs without the order service,
    completed orders are unknown in this database, and all reserved goods are `held`.
    """
    held: dict[tuple[str, str], int] = {}
    query = (
        sa.select(_reservations.c.warehouse, _reservations.c.lines)
        .select_from(_reservations.outerjoin(_orders, _orders.c.no == _reservations.c.no))
        .where(
            _reservations.c.status == Reservation.HELD,
            sa.or_(_orders.c.status.is_(None), _orders.c.status != Order.COMPLETED),
        )
    )
    if db.execute(sa.select(sa.func.max(_orders.c.no))).scalar() is not None:
        query = query.where(_reservations.c.no.in_(_may_hold(db)))
    for warehouse, lines in db.execute(query):
        for line in _lines.decode(lines):
            held[warehouse, line.sku] = held.get((warehouse, line.sku), 0) + line.quantity
    levels = sa.select(_stock).order_by(_stock.c.sku, _stock.c.warehouse)
    if sku is not None:
        levels = levels.where(_stock.c.sku == sku)
    return [
        {
            "sku": row["sku"],
            "warehouse": row["warehouse"],
            "on_hand": row["on_hand"],
            "held": (now := held.get((row["warehouse"], row["sku"]), 0)),
            "sold": row["reserved"] - now,
            "loaded": row["loaded"],
        }
        for row in rows_of(db, levels)
    ]


def _may_hold(db: sa.Connection) -> Any:
    """Return a query for the orders that may hold goods without being completed, using indexes."""
    return sa.union_all(
        sa.select(_orders.c.no).where(_orders.c.status.in_((Order.CREATED, Order.ROLLED_BACK))),
        sa.select(sagas.c.no).where(sagas.c.ended_at.is_(None)),
        # The number is a literal, since a partial index cannot be used with a parameter.
        sa.select(sagas.c.no).where(sagas.c.skipped == sa.literal_column("1")),
        *numbers_without_order(db),
    )
