"""Writer for Kafka's topics, used from outside the system: submitters, operators, tests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import KafkaClientError
from order_sagas.bridges.kafka.group_members import members_of
from order_sagas.bridges.kafka.producer import TopicWriter
from order_sagas.bridges.kafka.topic_cache import KeptTopic
from order_sagas.bridges.kafka.topic_scan import ends_of, read_at, read_whole
from order_sagas.bridges.kafka.topics import check_topics
from order_sagas.bridges.logs.log_writer import HEAD, DeadLetterRow, is_mark
from order_sagas.bridges.records.dead_letter import ABOUT
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Headers, Outgoing, Record
from order_sagas.bridges.records.wire_forms import WireForm
from order_sagas.bridges.storage.outbox_events import fits
from order_sagas.bridges.storage.outbox_table import SUBMITTED
from order_sagas.bridges.storage.store import Store

_log = structlog.get_logger(__name__)

WITHIN = 30.0
"""Seconds to wait for Kafka's acknowledgement of what was published."""


class TopicLetters:
    """The dead letters in Kafka, read without the database and without a producer.

    `kept` caches the topic; without it, the whole topic is read on each call of `letters`.
    """

    def __init__(
        self, connection: KafkaConnection, partitions: int, kept: KeptTopic | None = None
    ) -> None:
        self._connection = connection
        self._partitions = partitions
        self._kept = kept

    def letters(self, after: int | None = None) -> Iterator[DeadLetterRow]:
        """The records of `dead-letters`; see `DeadLetterSource`. Raises BrokerUnreachableError.

        The number of a letter is computed from its partition and offset, so it never changes.
        """
        rows = [self._row(record) for record in sorted(self._records(), key=_age)]
        numbers = [row[0] for row in rows]
        return iter(rows[numbers.index(after) + 1 if after in numbers else 0 :])

    def marks(self) -> Iterator[DeadLetterRow]:
        """The records that mark letters as replayed or discarded; see `DeadLetterSource`."""
        marks = [record for record in self._records() if is_mark(record.headers)]
        return iter([self._row(record) for record in sorted(marks, key=_age)])

    def whole(self, numbers: Sequence[int]) -> Iterator[DeadLetterRow]:
        """The records with these numbers; see `DeadLetterSource`."""
        places = [(number % self._partitions, number // self._partitions) for number in numbers]
        return map(self._row, read_at(self._connection, DEAD_LETTERS, places))

    def _records(self) -> list[Record]:
        if self._kept is not None:
            return self._kept.read()
        return read_whole(self._connection, DEAD_LETTERS, self._partitions, head_of)

    def _row(self, record: Record) -> DeadLetterRow:
        number = record.offset * self._partitions + record.partition
        return number, record.key, record.value, record.headers


def head_of(record: Record) -> Record:
    """The record with at most HEAD bytes of its key, its value, and each of its last headers."""
    headers = record.headers
    if sum(len(name) + len(value) for name, value in headers) > HEAD:
        headers = tuple((name[:HEAD], value[:HEAD]) for name, value in headers[-len(ABOUT) :])
    return record._replace(
        key=record.key and record.key[:HEAD],
        value=record.value and record.value[:HEAD],
        headers=headers,
    )


def _age(record: Record) -> tuple[float, int, int]:
    return record.timestamp, record.partition, record.offset


class OutboxLog:
    """Stores records in the outbox in the caller's transaction, then publishes them to Kafka.

    Delivery: at least once. If the process dies in between, the next writer or a worker publishes
    what is left in the outbox. Raises BrokerUnreachableError if Kafka cannot be reached,
    TopicMissingError, TopicMismatchError, and StoreError if the database cannot be used.
    """

    waiting_text = "No worker is running: the records wait in Kafka."

    def __init__(
        self,
        database: str,
        partitions: int,
        connection: KafkaConnection,
        topics: Sequence[str],
        group: str,
        dead_letters: KeptTopic | None = None,
        wire_forms: Mapping[str, WireForm] | None = None,
        *,
        by_capture: bool = False,
    ) -> None:
        """`topics` are all that may be written.

        `group` is the consumer group of workers that have all roles.

        `wire_forms` says how values are written to topics whose records are not plain. With
        `by_capture`, records are left in the table `outbox_events`, for change data capture.
        `dead_letters` caches the topic `dead-letters`; without it, the whole topic is read on each
        call of `letters`.
        """
        self.partitions = partitions
        self._connection = connection
        self._group = group
        self.dead_letters = TopicLetters(connection, partitions, dead_letters)
        self._wire_forms = wire_forms or {}
        self._by_capture = by_capture
        check_topics(connection, topics, partitions=partitions)
        self._store = Store(database, Registry(()), partitions, SUBMITTED)
        self.db = self._store.db
        self._put: dict[int, Outgoing] = {}
        self._wrote = False
        self.left = 0
        """Records that are committed but not acknowledged by Kafka; a worker will publish them."""
        self._writer = TopicWriter(connection)
        self._writer.start(topics)
        self._publish(dict(self._store.outbox.unpublished([*range(partitions)])))
        self.left = 0

    def close(self) -> None:
        """Close the connections to Kafka and to the database."""
        self._writer.close()
        self._store.close()

    def __enter__(self) -> "OutboxLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor whose statements are committed together; then the records are published.

        Returns when Kafka has acknowledged them, or after WITHIN seconds; those that were not
        acknowledged are counted in `left`.
        """
        self._put = {}
        with self.db.transaction() as cursor:
            yield cursor
        records, self._put = self._put, {}
        self._publish(records)
        self._wrote = True

    def outgoing(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> Outgoing:
        """A record with the partition of its key, and its value in the wire form of the topic."""
        raw = key.encode()
        if topic in self._wire_forms:
            value, headers = self._wire_forms[topic](value, headers)
        return Outgoing(topic, partition_for(raw, self.partitions), raw, value, headers)

    def put(self, cursor: Any, records: Iterable[Outgoing], *, handled: bool = False) -> None:
        """Store records in the outbox within a transaction. `handled` has no effect here."""
        if self._by_capture:
            records = self._leave(cursor, [*records])
        rows = [(record.partition, record) for record in records]
        if rows:
            ids = self._store.outbox.add(cursor, rows)
            self._put.update(zip(ids, (record for _, record in rows), strict=True))

    def _leave(self, cursor: Any, records: list[Outgoing]) -> list[Outgoing]:
        """Leave records to change data capture; return those that it cannot publish whole."""
        left = [record for record in records if fits(record)]
        if left:
            self._store.outbox_events.add(cursor, left, SystemClock().now())
        return [record for record in records if not fits(record)]

    def append(self, *records: Outgoing) -> int:
        """Store records in one transaction and publish them; return how many workers run."""
        with self.transaction() as cursor:
            self.put(cursor, records)
        return self.running or 0

    @property
    def running(self) -> int | None:
        """The number of members of the consumer groups; None before the first write."""
        return members_of(self._connection, self._group) if self._wrote else None

    def end(self, topic: str) -> Mapping[int, int]:
        """The offset after the last record of each partition of a topic."""
        return ends_of(self._connection, topic, self.partitions)

    def _publish(self, rows: dict[int, Outgoing]) -> None:
        """Publish records, and delete those that Kafka acknowledged from the outbox.

        The others are counted in `left`. A record that is too large for its topic stays in the
        outbox too; a worker makes it a dead letter.
        """
        if not rows:
            return
        publication = self._writer.publish(list(rows.values()))
        acknowledged: list[int] = []
        try:
            publication.wait(WITHIN)
            acknowledged = [*rows]
        except KafkaClientError as error:
            if publication.is_done:
                failures = publication.failures
                acknowledged = [row for n, row in enumerate(rows) if n not in failures]
            left = len(rows) - len(acknowledged)
            _log.warning("outbox.not_published", count=left, error=str(error))
            self.left += left
        if acknowledged:
            with self.db.transaction() as cursor:
                self._store.outbox.delete(cursor, acknowledged)
