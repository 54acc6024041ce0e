"""Appending to the embedded log, and the two queues that it is."""

from collections.abc import Sequence
from typing import Any

from bridges.record import Outgoing
from bridges.store.connect import Connection
from bridges.store.headers import pack

LOG = "log"
"""The topic under which the offsets of the embedded log are kept: one position for all topics."""
LEFT = "log:left"
"""The same, of what one worker left for another: the next steps of sagas that are under way."""

TO_READ, HANDLED, LEFT_FOR_OTHERS = range(3)
"""The column `handled`: what is read in its turn, what the batch that wrote it has handled too, and
what comes before everything new, so that sagas under way end before others begin."""

_BARE = (
    "INSERT INTO log (topic, partition, key, value, handled, appended_at) VALUES ({0}, {0}, {0}, "
    "{0}, {0}, {0})"
)
_WITH_HEADERS = (
    "INSERT INTO log (topic, partition, key, value, handled, appended_at, headers) VALUES ({0}, "
    "{0}, {0}, {0}, {0}, {0}, {0})"
)


def append(
    db: Connection, cursor: Any, records: Sequence[tuple[Outgoing, int]], now: float
) -> None:
    """Within a transaction: these records, each with what `handled` shall say of it.

    Python's sqlite3 looks in vain for an adapter of every `bytes` and every None it is given, but
    of no bytearray; so that is what it gets, and no column for headers that nobody has.
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
            *((pack(o.headers),) if some else ()),
        )
        for o, handled in records
    ]
    db.insert(cursor, (_WITH_HEADERS if some else _BARE).format(db.placeholder), rows)
