"""Records that are kept until they can be handled: deferred ones, and replies that came early."""

from typing import Any

import msgspec
import sqlalchemy as sa

from order_sagas.bridges.storage.deferred import parked
from order_sagas.bridges.storage.queries.result import rows_of
from order_sagas.bridges.storage.schema import early_replies


def deferred_of(db: sa.Connection, order_id: str) -> list[dict[str, Any]]:
    """Return the records of an order that are deferred, oldest first.

    Each has its `target`, the pause; `topic`, `value` as text, and `at` as `early_of` has them.
    """
    query: Any = (
        sa.select(parked.c.target, parked.c.topic, parked.c.value, parked.c.at)
        .where(parked.c.order_id == order_id)
        .order_by(parked.c.id)
    )
    return _with_text(db, query)


def early_of(db: sa.Connection, order_id: str) -> list[dict[str, Any]]:
    """Return the replies that are kept for an order because they came too early, oldest first.

    Each has its `topic`, its `value` as text, and `at`, when it came (seconds since the epoch).
    """
    query: Any = (
        sa.select(early_replies.c.topic, early_replies.c.value, early_replies.c.at)
        .where(early_replies.c.order_id == order_id)
        .order_by(early_replies.c.at, early_replies.c.id)
    )
    return _with_text(db, query)


def early(db: sa.Connection, limit: int | None) -> list[dict[str, Any]]:
    """Return the replies that are kept for all orders, oldest first, at most `limit`.

    Each has its `order_id`, its `topic`, its `status` (empty if it has none), and `at`, when it
    came (seconds since the epoch).
    """
    table = early_replies.c
    query: Any = sa.select(table.order_id, table.topic, table.at, table.value)
    found = rows_of(db, query.order_by(table.at, table.id).limit(limit))
    return [
        {
            "order_id": row["order_id"],
            "status": _status(row["value"]),
            "topic": row["topic"],
            "at": row["at"],
        }
        for row in found
    ]


def early_count(db: sa.Connection) -> int:
    """Return the number of replies that are kept because they came too early."""
    return int(db.execute(sa.select(sa.func.count()).select_from(early_replies)).scalar_one())


def _status(value: bytes | None) -> str:
    try:
        found = msgspec.json.decode(value or b"")
        body = msgspec.json.decode(found) if isinstance(found, str) else found
    except msgspec.DecodeError:
        return ""
    return str(body.get("status", "")) if isinstance(body, dict) else ""


def _with_text(db: sa.Connection, query: Any) -> list[dict[str, Any]]:
    return [
        {**row, "value": bytes(row["value"] or b"").decode(errors="replace")}
        for row in rows_of(db, query)
    ]
