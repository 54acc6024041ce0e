"""Writing to Kafka's topics from outside the system: submitters, operators, testers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from order_sagas.actors.participants import DEAD_LETTERS, TOPICS
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import KafkaBridgeError
from order_sagas.bridges.kafka.group_members import members_of
from order_sagas.bridges.kafka.producer import TopicWriter
from order_sagas.bridges.kafka.topic_cache import KeptTopic
from order_sagas.bridges.kafka.topic_scan import ends_of, read_whole
from order_sagas.bridges.kafka.topics import check_topics
from order_sagas.bridges.logs.log_writer import LetterRow
from order_sagas.bridges.operations.dead_letters import MARK
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Headers, Outgoing, Record
from order_sagas.bridges.storage.store import SUBMITTED, Store

_log = structlog.get_logger(__name__)

WITHIN = 30.0
"""Seconds in which Kafka has to acknowledge what was written."""


class TopicLetters:
    """The dead letters in Kafka, read without the database and without a producer.

    With `kept`, they are read on from where they were read before; without it, whole each time.
    """

    def __init__(
        self, connection: KafkaConnection, partitions: int, kept: KeptTopic | None = None
    ) -> None:
        self._connection = connection
        self._partitions = partitions
        self._kept = kept

    def letters(self) -> Iterator[LetterRow]:
        """See `LetterSource`. A letter's number is made of its partition and its offset.

        It never changes. Raises BrokerUnreachableError where Kafka does not answer.
        """

        def place(record: Record) -> tuple[bool, float, int, int]:
            is_mark = bool(record.headers) and record.headers[-1][0] == MARK
            return is_mark, record.timestamp, record.partition, record.offset

        if self._kept is not None:
            records = self._kept.read()
        else:
            records = read_whole(self._connection, DEAD_LETTERS, self._partitions)
        for record in sorted(records, key=place):
            number = record.offset * self._partitions + record.partition
            yield number, record.key, record.value, record.headers


class OutboxLog:
    """Puts records into the outbox in the caller's transaction, and into Kafka after it.

    A crash in between is healed: whoever writes next, or runs the system, publishes what was left.
    Raises BrokerUnreachableError when nobody answers, TopicMissingError, TopicMismatchError, and
    StoreError where the database cannot be used.
    """

    nobody = "No worker is running: the records wait in Kafka."

    def __init__(
        self,
        database: str,
        partitions: int,
        connection: KafkaConnection,
        group: str,
        dead_letters: KeptTopic | None = None,
    ) -> None:
        """`group` is the consumer group of workers that have all roles.

        `dead_letters` are read on from where they were read before; without it, they are read
        whole each time.
        """
        self.partitions = partitions
        self._connection = connection
        self._group = group
        self._dead_letters = dead_letters
        check_topics(connection, TOPICS, partitions=partitions)
        self._store = Store(database, Registry(()), partitions, SUBMITTED)
        self.db = self._store.db
        self._put: dict[int, Outgoing] = {}
        self._wrote = False
        self.left = 0
        """Records that are committed, and were not acknowledged: a worker will publish them."""
        self._writer = TopicWriter(connection)
        self._writer.start(TOPICS)
        self._publish(dict(self._store.unpublished([*range(partitions)])))
        self.left = 0

    def close(self) -> None:
        """Close both connections."""
        self._writer.close()
        self._store.close()

    def __enter__(self) -> "OutboxLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor whose work is committed at the end, or not at all; then Kafka gets the records.

        Returns once Kafka has acknowledged them, or has not for long: then they are in `left`.
        """
        self._put = {}
        with self.db.transaction() as cursor:
            yield cursor
        records, self._put = self._put, {}
        self._publish(records)
        self._wrote = True

    def outgoing(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> Outgoing:
        """A record with the partition that its key belongs to."""
        raw = key.encode()
        return Outgoing(topic, partition_for(raw, self.partitions), raw, value, headers)

    def put(self, cursor: Any, records: Iterable[Outgoing], *, handled: bool = False) -> None:
        """Put records into the outbox within a transaction."""
        rows = [(record.partition, record) for record in records]
        if rows:
            ids = self._store.fill_outbox(cursor, rows)
            self._put.update(zip(ids, (record for _, record in rows), strict=True))

    def append(self, *records: Outgoing) -> int:
        """Put records in a transaction of their own; answers how many workers are running."""
        with self.transaction() as cursor:
            self.put(cursor, records)
        return self.running or 0

    @property
    def running(self) -> int | None:
        """How many workers are in the consumer groups; None before anything was written."""
        return members_of(self._connection, self._group) if self._wrote else None

    def end(self, topic: str) -> Mapping[int, int]:
        """The offset behind the last record of each partition of a topic."""
        return ends_of(self._connection, topic, self.partitions)

    def letters(self) -> Iterator[LetterRow]:
        """What is among the dead letters; see `TopicLetters`."""
        return TopicLetters(self._connection, self.partitions, self._dead_letters).letters()

    def _publish(self, rows: dict[int, Outgoing]) -> None:
        """Delete from the outbox what Kafka has acknowledged, and count what it has not.

        A record that is larger than its topic takes is left too: a worker makes it a dead letter.
        """
        if not rows:
            return
        publication = self._writer.publish(list(rows.values()))
        acknowledged: list[int] = []
        try:
            publication.wait(WITHIN)
            acknowledged = [*rows]
        except KafkaBridgeError as error:
            if publication.is_done:
                failures = publication.failures
                acknowledged = [row for n, row in enumerate(rows) if n not in failures]
            left = len(rows) - len(acknowledged)
            _log.warning("outbox.not_published", count=left, error=str(error))
            self.left += left
        if acknowledged:
            with self.db.transaction() as cursor:
                self._store.clean_outbox(cursor, acknowledged)
