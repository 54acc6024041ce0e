"""Change data capture of `outbox_events` on PostgreSQL, as Debezium does it: by logical decoding.

Rows are read from the write-ahead log (plug-in `pgoutput`), and published as Debezium's outbox
event router does: topic, key, value, and the mapped headers.
"""

import struct
from collections.abc import Iterator
from threading import Event, Thread

import psycopg
from sqlalchemy import make_url

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from tests.support.kafka_system import PARTITIONS

SLOT, PUBLICATION = "outbox", "outbox"
_PAUSE = 0.05
"""Seconds between two reads of the log."""

Row = dict[str, str | None]


class Capture:
    """Publishes the rows that are inserted, each once, on a thread."""

    def __init__(self, database: str, servers: str, topics: tuple[str, ...]) -> None:
        """Create publication and slot; `topics` are all that may be written."""
        url = make_url(database).set(drivername="postgresql")
        dsn = url.render_as_string(hide_password=False)
        self._db = psycopg.connect(dsn, autocommit=True)
        self._db.execute(f"CREATE PUBLICATION {PUBLICATION} FOR TABLE outbox_events")
        self._db.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
        self._writer = TopicWriter(KafkaConnection(bootstrap_servers=servers))
        self._writer.start(topics)
        self._stopping = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.failure: BaseException | None = None
        self.published: list[Row] = []

    def start(self) -> None:
        """Start to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and drop the slot."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(30)
        self._writer.close()
        self._db.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))
        self._db.close()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(_PAUSE):
                self._step()
        except BaseException as error:
            self.failure = error

    def _step(self) -> None:
        changes = self._db.execute(
            "SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, NULL, "
            "'proto_version', '1', 'publication_names', %s)",
            (SLOT, PUBLICATION),
        )
        rows = [*inserted(bytes(data) for (data,) in changes)]
        if rows:
            self._writer.publish([self._record(row) for row in rows]).wait(30)
            self.published += rows

    def _record(self, row: Row) -> Outgoing:
        topic, key = str(row["aggregatetype"]), str(row["aggregateid"]).encode()
        placed = {"id": row["id"], "traceparent": row["traceparent"]}
        headers = tuple((name, (text or "").encode()) for name, text in placed.items())
        partition = partition_for(key, PARTITIONS)
        return Outgoing(topic, partition, key, str(row["payload"]).encode(), headers)


def inserted(changes: Iterator[bytes]) -> Iterator[Row]:
    """Yield the rows that were inserted, from messages of the protocol of logical replication.

    https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
    """
    columns: dict[int, list[str]] = {}
    for change in changes:
        kind, body = change[:1], change[1:]
        if kind == b"R":
            (relation,) = struct.unpack_from(">I", body)
            columns[relation] = _columns(body[4:])
        elif kind == b"I":
            (relation,) = struct.unpack_from(">I", body)
            yield dict(zip(columns[relation], _values(body[5:]), strict=True))


def _columns(body: bytes) -> list[str]:
    _, _, body = body.split(b"\0", 2)  # schema and table
    (count,) = struct.unpack_from(">H", body, 1)
    body = body[3:]
    names = []
    for _ in range(count):
        name, _, body = body[1:].partition(b"\0")
        names.append(name.decode())
        body = body[8:]  # type and its modifier
    return names


def _values(body: bytes) -> Iterator[str | None]:
    (count,) = struct.unpack_from(">H", body)
    at = 2
    for _ in range(count):
        kind = body[at : at + 1]
        at += 1
        if kind == b"n":
            yield None
            continue
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 4 : at + 4 + length].decode()
        at += 4 + length
