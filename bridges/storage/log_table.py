"""Appends records to the embedded log."""

from collections.abc import Sequence
from typing import Any

from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.headers import pack
from order_sagas.bridges.storage.log_queues import LEFT_FOR_ROLE

_BARE = (
    "INSERT INTO log (topic, partition, key, value, handled, appended_at) VALUES ({0}, {0}, {0}, "
    "{0}, {0}, {0})"
)
_WITH_HEADERS = (
    "INSERT INTO log (topic, partition, key, value, handled, appended_at, headers) VALUES ({0}, "
    "{0}, {0}, {0}, {0}, {0}, {0})"
)

_FOR_ROLE = (
    "INSERT INTO log (topic, partition, key, value, handled, appended_at, headers, role) VALUES "
    "({0}, {0}, {0}, {0}, {0}, {0}, {0}, {0})"
)


def append(
    db: Connection, cursor: Any, records: Sequence[tuple[Outgoing, int]], now: float
) -> None:
    """Within a transaction: append records, each with its value of `handled` (`log_queues`).

    Python's sqlite3 searches for an adapter of each `bytes` and None parameter, but not of a
    bytearray, so keys and values are passed as bytearray, and headers only if a record has some.
    """
    some = any(o.headers for o, _ in records)
    rows: list[Any] = [
        (
            o.topic,
            o.partition,
            None if o.key is None else bytearray(o.key),
            None if o.value is None else bytearray(o.value),
            handled,
            now,
        )
        for o, handled in records
    ]
    if some:
        rows = [(*row, pack(o.headers)) for row, (o, _) in zip(rows, records, strict=True)]
    db.insert(cursor, (_WITH_HEADERS if some else _BARE).format(db.placeholder), rows)


def append_for_roles(
    db: Connection, cursor: Any, records: Sequence[tuple[Outgoing, str]], now: float
) -> None:
    """Within a transaction: append each record to the queue of its role."""
    rows: list[Any] = [
        (o.topic, o.partition, o.key, o.value, LEFT_FOR_ROLE, now, pack(o.headers), role)
        for o, role in records
    ]
    db.insert(cursor, _FOR_ROLE.format(db.placeholder), rows)
