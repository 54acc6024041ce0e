"""How far each schedule has come: the newest due time that was settled."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from order_sagas.bridges.storage.connection import Connection


class ScheduleRow(NamedTuple):
    """A row of the table. Times are seconds since the Unix epoch.

    `due` is the newest due time that was settled, `order_id` and `started_at` are of the newest
    that was started; "" and None before the first.
    """

    name: str
    due: float
    order_id: str = ""
    started_at: float | None = None


class ScheduleTable:
    """The table, on the connection of a store."""

    def __init__(self, db: "Connection") -> None:
        self._db = db
        values = ", ".join([db.placeholder] * 4)
        self._upsert = (
            f"INSERT INTO schedules (name, due, order_id, started_at) VALUES ({values}) "
            "ON CONFLICT (name) DO UPDATE SET due = excluded.due, order_id = excluded.order_id, "
            "started_at = excluded.started_at"
        )

    def all(self) -> dict[str, ScheduleRow]:
        """Every row, by the name of its schedule."""
        query = "SELECT name, due, order_id, started_at FROM schedules"
        return {row[0]: ScheduleRow(*row) for row in self._db.rows(query, ())}

    def store(self, cursor: Any, rows: Iterable[ScheduleRow]) -> None:
        """Within a transaction: store how far these schedules have come."""
        cursor.executemany(self._upsert, [tuple(row) for row in rows])
