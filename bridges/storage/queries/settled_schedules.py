"""How far the schedules of sagas are settled."""

from typing import Any

import sqlalchemy as sa

from order_sagas.bridges.storage.queries.result import rows_of
from order_sagas.bridges.storage.schema import schedules as _schedules


def schedules(db: sa.Connection) -> dict[str, dict[str, Any]]:
    """Return how far each schedule is settled, by name: `due`, `order_id`, `started_at`."""
    return {row["name"]: row for row in rows_of(db, sa.select(_schedules))}
