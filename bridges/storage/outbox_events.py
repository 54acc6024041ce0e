"""The table `outbox_events`: records that change data capture publishes, in Debezium's columns.

The columns are those of the outbox event router of Debezium:
https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
Rows are only inserted, in the transaction that causes them, and deleted when they are old.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import sqlalchemy as sa

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.schema import Number, metadata

CHUNK = 500
"""Rows that are deleted in one transaction."""

outbox_events = sa.Table(
    "outbox_events",
    metadata,
    sa.Column("no", Number, sa.Identity(), primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("aggregatetype", sa.Text, nullable=False),
    sa.Column("aggregateid", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("timestamp", sa.DateTime, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("traceparent", sa.Text),
    sa.Column("tracestate", sa.Text),
    sa.Column("headers", sa.Text),
    sqlite_autoincrement=True,  # for readers that ask for the rows behind the last one they saw
)
"""`id` is the event id of the message, `aggregatetype` the topic, `aggregateid` the key of the
record, `type` the status of the message, `payload` the value; `timestamp` is in UTC. `headers` is a
JSON object of all headers, NULL if there are none."""
sa.Index("outbox_events_by_key", outbox_events.c.aggregateid, outbox_events.c.aggregatetype)


class _About(msgspec.Struct, rename="camel", frozen=True, gc=False):
    status: str = ""
    event_id: str = ""


_about = msgspec.json.Decoder(_About)
_text = msgspec.json.Decoder(str)


def fits(record: Outgoing) -> bool:
    """Return whether the table can hold the record as text, whole.

    Dead letters never do: they are bytes of others, and their headers say where they come from.
    """
    if record.topic == DEAD_LETTERS or record.key is None or record.value is None:
        return False
    parts = (record.key, record.value, *(value for _, value in record.headers))
    return not any(b"\0" in part for part in parts) and all(map(_is_text, parts))


class OutboxEvents:
    """The rows of the table, on the connection of a store."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        mark = db.placeholder
        columns = [column.name for column in outbox_events.columns if column.name != "no"]
        self._insert = (
            f"INSERT INTO outbox_events ({', '.join(columns)}) "
            f"VALUES ({', '.join([mark] * len(columns))})"
        )
        self._oldest = f"SELECT no, timestamp FROM outbox_events ORDER BY no LIMIT {CHUNK}"
        self._delete = f"DELETE FROM outbox_events WHERE no <= {mark}"

    def add(self, cursor: Any, records: Iterable[Outgoing], now: float) -> None:
        """Within a transaction: insert records, for each of which `fits` is true.

        `now` is in seconds since the Unix epoch.
        """
        at = _timestamp(now)
        self._db.insert(cursor, self._insert, [_row(record, at) for record in records])

    def prune(self, before: float) -> int:
        """Delete at most CHUNK rows, the oldest, of before a moment (epoch seconds).

        Returns their number: fewer than CHUNK if no more are that old.
        """
        limit = _timestamp(before)
        old = [no for no, at in self._db.rows(self._oldest, ()) if str(at) < limit]
        if old:
            with self._db.transaction() as cursor:
                cursor.execute(self._delete, (old[-1],))
        return len(old)


def waiting_keys(db: sa.Connection, topic: str, keys: Sequence[str]) -> set[str]:
    """Return which of these keys have records for `topic` in the table."""
    table, found = outbox_events.c, set[str]()
    for start in range(0, len(keys), CHUNK):
        some = keys[start : start + CHUNK]
        query = sa.select(table.aggregateid).where(
            table.aggregateid.in_(some), table.aggregatetype == topic
        )
        found.update(db.execute(query).scalars())
    return found


def _row(record: Outgoing, at: str) -> tuple[Any, ...]:
    about, headers = _about_of(record.value or b""), dict(record.headers)
    return (
        about.event_id or str(uuid4()),
        record.topic,
        (record.key or b"").decode(),
        about.status,
        (record.value or b"").decode(),
        at,
        record.partition,
        _of(headers, "traceparent"),
        _of(headers, "tracestate"),
        _packed(record.headers),
    )


def _about_of(value: bytes) -> _About:
    try:
        if value.startswith(b'"'):  # the wire form of Spring
            value = _text.decode(value).encode()
        return _about.decode(value)
    except msgspec.DecodeError:
        return _About()


def _of(headers: dict[str, bytes], name: str) -> str | None:
    return headers[name].decode() if name in headers else None


def _packed(headers: Headers) -> str | None:
    if not headers:
        return None
    return msgspec.json.encode({name: value.decode() for name, value in headers}).decode()


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
