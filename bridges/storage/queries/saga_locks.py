"""Locks of exclusive sagas."""

from typing import Any

import msgspec
import sqlalchemy as sa


def locks(db: sa.Connection) -> list[dict[str, Any]]:
    """Return the locks of exclusive sagas that are held, by key.

    Each has its `key` and its `claims`, of which the first has the lock: `saga_id`, `order_id`,
    `step`, and `since` (seconds since the Unix epoch).
    """
    if not sa.inspect(db).has_table("saga_locks"):
        return []  # no exclusive saga ever ran here
    query = "SELECT order_id, claims FROM saga_locks WHERE claims <> '[]' ORDER BY order_id"
    return [
        {"key": key.removeprefix("lock:"), "claims": msgspec.json.decode(claims)}
        for key, claims in db.execute(sa.text(query))
    ]


def lock_claims(db: sa.Connection, lock_id: str) -> list[dict[str, Any]]:
    """Return the claims of one lock, as `locks` has them; `lock_id` is its key with the prefix."""
    if not sa.inspect(db).has_table("saga_locks"):
        return []
    query = (
        "SELECT claims FROM saga_locks WHERE no = (SELECT no FROM order_keys WHERE order_id = :id)"
    )
    claims = db.execute(sa.text(query), {"id": lock_id}).scalar()
    found: list[dict[str, Any]] = msgspec.json.decode(claims) if claims else []
    return found
