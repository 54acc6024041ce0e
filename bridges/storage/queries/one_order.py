"""Everything that is stored about one order."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import Entity, Notification, Order, Payment, Reservation
from order_sagas.actors.sagas.state import decode_plain
from order_sagas.bridges.storage.queries.order_pages import SUBMITTED
from order_sagas.bridges.storage.queries.result import Row, rows_of
from order_sagas.bridges.storage.schema import order_keys, pruned, sagas, table_of

_TABLES = {
    "order": table_of(Order),
    "payment": table_of(Payment),
    "reservation": table_of(Reservation),
    "notification": table_of(Notification),
}


def order(db: sa.Connection, order_id: str) -> dict[str, Any] | None:
    """Return everything stored about one order; None for an unknown id.

    `order`, `payment`, `reservation` and `notification` are rows or None, `sagas` are rows, each
    with its state. `pruned` is only there for an order that was pruned, and then alone.
    """
    key = sa.select(order_keys.c.no, order_keys.c.fingerprint).where(
        order_keys.c.order_id == order_id
    )
    found = db.execute(key).first()
    if found is None:
        return None
    no, fingerprint = found
    whole: dict[str, Any] = {name: _one(db, table, no) for name, table in _TABLES.items()}
    gone = rows_of(db, sa.select(pruned).where(pruned.c.no == no))
    if gone:
        whole["pruned"] = {name: value for name, value in gone[0].items() if name != "no"}
    elif whole["order"] is None and fingerprint is not None:
        whole["order"] = {"order_id": order_id, "status": SUBMITTED}
    whole["sagas"] = [
        (row, decode_plain(row.pop("state")))
        for row in rows_of(db, sa.select(sagas).where(sagas.c.no == no).order_by(sagas.c.saga))
    ]
    return whole


def entities_of_order(
    db: sa.Connection, order_id: str, kinds: Iterable[type[Entity]]
) -> dict[str, Row]:
    """Return the stored entities of these classes of an order, by table, without the order id.

    Entities with another key are left out, and so are tables that do not exist.
    """
    no = db.execute(sa.select(order_keys.c.no).where(order_keys.c.order_id == order_id)).scalar()
    known = set(sa.inspect(db).get_table_names())
    found: dict[str, Row] = {}
    for table in (table_of(kind) for kind in kinds if kind.key == ("order_id",)):
        rows = []
        if table.name in known:
            rows = rows_of(db, sa.select(table).where(table.c.no == no))
        for row in rows:
            found[str(table.name)] = {
                name: value for name, value in row.items() if name not in ("no", "order_id")
            }
    return found


def _one(db: sa.Connection, table: sa.Table, no: int) -> Row | None:
    rows = rows_of(db, sa.select(table).where(table.c.no == no))
    if not rows:
        return None
    fields = {name: value for name, value in rows[0].items() if name != "no"}
    if "lines" in fields:
        fields["lines"] = msgspec.json.decode(fields["lines"])
    return fields
