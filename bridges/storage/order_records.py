"""Records of one order in the embedded log, found without an index of keys.

An index would cost every record that is written. Positions grow with time, so the records around a
moment are found by bisection, and only those are read.
"""

from collections.abc import Collection, Iterable, Iterator

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.log_queues import LEFT_FOR_ROLE
from order_sagas.bridges.storage.schema import log

BEFORE, AFTER = 0.5, 1.0
"""Seconds around a moment in which records are searched: they are appended when their batch is
committed, and a transition has the time at which it was decided."""
MOST_READ = 100_000
"""Maximum number of records of any order that are read."""
MOST_FOUND = 500
"""Maximum number of records that are returned."""
MOST_BYTES = 65_536
"""Number of bytes of a value that are returned."""


@attrs.frozen
class OrderRecord:
    """A record about an order. `at` is when it was appended, in seconds since the Unix epoch."""

    at: float
    topic: str
    partition: int
    offset: int
    value: bytes


@attrs.frozen
class OrderRecords:
    """The records that were found, oldest first. `problem` says why some may be missing."""

    records: list[OrderRecord]
    problem: str = ""


def records_around(
    db: sa.Connection,
    order_id: str,
    keys: Collection[str],
    moments: Iterable[float],
    most: int = MOST_READ,
) -> OrderRecords:
    """Return the records of an order that were appended around these moments.

    They have one of these `keys`, and those with another key than the order id have it in their
    value. `moments` are in seconds since the Unix epoch. At most `most` records of any order are
    looked at, those around the newest moments first.
    """
    # Apart: of both together, SQLite would read the whole table.
    first, last = (
        db.execute(sa.select(end(log.c.position))).scalar() for end in (sa.func.min, sa.func.max)
    )
    if first is None or last is None:
        return OrderRecords([])
    found: list[OrderRecord] = []
    left = most
    for begin, end in windows(moments):
        low = _position_at(db, begin, first, last)
        high = _position_at(db, end, low, last)
        # The newest come first: they say why the saga is where it is.
        found += _between(db, order_id, keys, max(low, high - left), high)
        left -= high - low
        if left <= 0:
            problem = f"of the records around the transitions, only the newest {most} were searched"
            return OrderRecords(_sorted(found), problem)
    problem = ""
    if len(found) > MOST_FOUND:
        problem = f"the saga has {len(found)} records; the newest {MOST_FOUND} are shown"
    return OrderRecords(_sorted(found)[-MOST_FOUND:], problem)


def _sorted(found: list[OrderRecord]) -> list[OrderRecord]:
    return sorted(found, key=lambda record: record.offset)


def windows(moments: Iterable[float]) -> Iterator[tuple[float, float]]:
    """The times to search, without overlap, the newest first."""
    merged: list[tuple[float, float]] = []
    for moment in sorted(moments):
        begin, end = moment - BEFORE, moment + AFTER
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((begin, end))
    return reversed(merged)


def _position_at(db: sa.Connection, at: float, low: int, high: int) -> int:
    """The first position that was appended at `at` or later; one past the last if there is none."""
    following = (
        sa.select(log.c.position, log.c.appended_at)
        .where(log.c.position >= sa.bindparam("middle"))
        .order_by(log.c.position)
        .limit(1)
    )
    high += 1
    while low < high:
        middle = (low + high) // 2
        row = db.execute(following, {"middle": middle}).first()
        if row is None or row.appended_at >= at:
            high = middle
        else:
            low = row.position + 1
    return low


def _between(
    db: sa.Connection, order_id: str, keys: Collection[str], low: int, high: int
) -> list[OrderRecord]:
    own = order_id.encode()
    value = sa.func.substr(log.c.value, 1, MOST_BYTES)
    query = (
        sa.select(log.c.appended_at, log.c.topic, log.c.partition, log.c.position, log.c.key, value)
        .where(
            log.c.position >= low,
            log.c.position < high,
            log.c.key.in_([key.encode() for key in keys]),
            log.c.handled != LEFT_FOR_ROLE,  # copies
        )
        .order_by(log.c.position)
    )
    return [
        OrderRecord(at, topic, partition, position, bytes(value or b""))
        for at, topic, partition, position, key, value in db.execute(query)
        if key == own or own in (value or b"")
    ]
