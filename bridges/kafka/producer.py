"""The Kafka producer: writes records in order, and reports which were acknowledged."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Lock

import structlog
from kafka import KafkaProducer
from kafka import errors as theirs
from kafka.record import util as checksums

from order_sagas.actors.words import many
from order_sagas.bridges.kafka.batch_limits import OVERHEAD, BatchLimits
from order_sagas.bridges.kafka.clock_watch import ClockWatch
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import (
    BrokerUnreachableError,
    KafkaClientError,
    NotAcknowledgedError,
    RecordTooLargeError,
    TopicMissingError,
    mapped,
)
from order_sagas.bridges.kafka.fast_produce import (
    can_send_whole_batches,
    has_fatal_error,
    send_whole_batch,
)
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.kafka.verdicts import Verdicts
from order_sagas.bridges.records.record import Outgoing

_log = structlog.get_logger(__name__)

DELIVERY_TIMEOUT_MS = 120_000
"""Milliseconds after which a record counts as not acknowledged."""
LINGER_MS = 20
"""Milliseconds to wait for more records of a batch. Used only if the client cannot take whole
batches: otherwise a publication is passed to it as a whole, and there is nothing to wait for."""


class TopicWriter:
    """The worker's only producer: idempotent, acknowledged by all in-sync replicas. Thread-safe.

    Records of one partition are written in the order in which they were published. A retry inside
    the client never writes a record twice; publishing it again does. The partition is that of the
    record; the client's partitioner is not used.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        batch_bytes: int = 256 * 1024,
        max_record_bytes: int | None = None,
        whole_batches: bool = True,
        metadata_timeout: float = 5.0,
        clocks: ClockWatch | None = None,
    ) -> None:
        """`max_record_bytes` is a limit in addition to each topic's own.

        `metadata_timeout` (seconds) is how long to wait for the metadata of an unknown topic.
        """
        self._connection = connection
        self._batch_bytes = batch_bytes
        self._max_record_bytes = max_record_bytes
        self._whole_batches = whole_batches
        self._metadata_timeout = metadata_timeout
        self._limits = BatchLimits(connection)
        self._answers = 0
        """Number of the producer's requests for metadata that were answered."""
        self._producer: KafkaProducer | None = None
        self._partitions: dict[str, int] = {}
        self._lock = Lock()
        self._clocks = clocks or ClockWatch()

    def start(self, topics: Sequence[str] = ()) -> None:
        """Connect, and fetch the partitions and limits of these topics.

        `publish` does not block for them. Raises BrokerUnreachableError and TopicMissingError.
        """
        if _checksums_are_slow():
            _log.warning("kafka.checksums_are_slow", install="pip install crc32c")
        if topics:
            self._limits.learn(topics)
        self._producer = self._connect()
        for topic in topics:
            self._count(topic)
        _log.info("kafka.writer_started", whole_batches=self._whole_batches)

    def _connect(self) -> KafkaProducer:
        producer = self._connection.make(
            KafkaProducer,
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            batch_size=self._batch_bytes,
            max_request_size=max(self._batch_bytes, self._limits.largest()) + OVERHEAD,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            max_block_ms=int(self._metadata_timeout * 1000),
            metrics_enabled=False,
        )
        producer._metadata.add_listener(self._note_answer)
        self._whole_batches = self._whole_batches and can_send_whole_batches(producer)
        self._verdicts = Verdicts(producer)
        return producer

    def _check_size(self, topic: str, size: int) -> None:
        """Read the limit of the topic again if a record of this size exceeds it."""
        if size > self._limits.of(topic):
            self._limits.exceeded(topic)
            config = self._client().config  # what its method `send` compares with
            largest = self._limits.largest() + OVERHEAD
            config["max_request_size"] = max(config["max_request_size"], largest)

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        """Send the records, and return at once; the publication reports the result of each.

        A record that cannot be sent (RecordTooLargeError, TopicMissingError) fails alone. Blocks
        for up to `metadata_timeout` for each topic that was not given to `start`, and while the
        limit of a topic is read again that a record exceeds.
        """
        publication = Publication(len(records))
        by_partition: dict[tuple[str, int], list[int]] = defaultdict(list)
        for place, record in enumerate(records):
            by_partition[record.topic, record.partition].append(place)
        with self._lock:  # keeps the order of two publications in each partition
            try:
                producer = self._usable_producer()
            except KafkaClientError as error:
                for place in range(len(records)):
                    publication.fail(place, error)
                return publication
            unknown: dict[str, KafkaClientError] = {}
            for (topic, partition), places in by_partition.items():
                try:
                    if topic in unknown:
                        raise unknown[topic]  # not to wait for each of its partitions
                    self._check(topic, partition)
                    sizes = {place: _size(records[place]) for place in places}
                    self._check_size(topic, max(sizes.values()))
                except KafkaClientError as error:
                    if topic not in self._partitions:
                        unknown[topic] = error
                    for place in places:
                        publication.fail(place, error)
                else:
                    self._send(topic, partition, records, sizes, publication)
        if self._whole_batches:
            producer._sender.wakeup()
        return publication

    def close(self, timeout: float = 10.0) -> None:
        """Wait up to `timeout` seconds for acknowledgements, and disconnect. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=timeout)

    def _send(
        self,
        topic: str,
        partition: int,
        records: Sequence[Outgoing],
        sizes: Mapping[int, int],
        publication: Publication,
    ) -> None:
        """Send the records at the places of `sizes`, which has the size of each."""
        batch: list[int] = []
        size = 0
        allowed = self._limits.of(topic)
        full = min(self._batch_bytes, allowed)
        if self._max_record_bytes is not None:
            allowed = min(allowed, self._max_record_bytes)
        for place, needed in sizes.items():
            if needed > allowed:
                publication.fail(place, _too_large(needed, allowed))
            elif self._whole_batches:
                if batch and size + needed > full:
                    self._send_batch(topic, partition, records, batch, publication)
                    batch, size = [], 0
                batch.append(place)
                size += needed
            else:
                self._send_alone(records[place], place, publication)
        if batch:
            self._send_batch(topic, partition, records, batch, publication)

    def _send_batch(
        self,
        topic: str,
        partition: int,
        records: Sequence[Outgoing],
        places: Sequence[int],
        publication: Publication,
    ) -> None:
        chosen = [records[place] for place in places]
        settle = partial(self._verdicts.settle, publication)
        send_whole_batch(self._client(), topic, partition, chosen, places, settle, self._clocks)

    def _send_alone(self, record: Outgoing, place: int, publication: Publication) -> None:
        try:
            future = self._client().send(
                record.topic,
                record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
            )
        except theirs.KafkaError as error:
            publication.fail(place, mapped(error))
        else:
            settle = partial(self._verdicts.settle, publication, [place])
            future.add_callback(lambda _: settle(None))
            future.add_errback(settle)

    def _check(self, topic: str, partition: int) -> None:
        count = self._partitions.get(topic) or self._count(topic)
        if not 0 <= partition < count:
            raise TopicMissingError(
                f"{topic} has {many(count, 'partition')}, hence no partition {partition}."
            )

    def _count(self, topic: str) -> int:
        answers = self._answers
        try:
            count = len(self._client().partitions_for(topic))
        except theirs.KafkaTimeoutError as error:
            try:
                self._connection.check_reachable()
            except BrokerUnreachableError as unreachable:
                raise NotAcknowledgedError(str(unreachable)) from error
            if answers == self._answers:
                raise NotAcknowledgedError(
                    f"Kafka did not return the partitions of {topic} in time."
                ) from error
            raise TopicMissingError(
                f"Kafka has no topic {topic}; `topics create` creates missing topics"
            ) from error
        except theirs.KafkaError as error:
            raise mapped(error) from error
        self._partitions[topic] = count
        return count

    def _note_answer(self, _: object) -> None:
        self._answers += 1

    def _usable_producer(self) -> KafkaProducer:
        producer = self._client()
        if has_fatal_error(producer):
            _log.warning("kafka.writer_starts_over")
            self._limits.learn_again()  # perhaps one was lowered, and was the cause
            fresh = self._connect()
            producer.close(timeout=0)
            self._producer = producer = fresh
            self._partitions.clear()  # makes the new producer fetch the metadata of each topic
        return producer

    def _client(self) -> KafkaProducer:
        if self._producer is None:
            raise KafkaClientError("The writer has not been started, or is closed.")
        return self._producer


def _size(record: Outgoing) -> int:
    headers = sum(len(name) * 4 + len(value) + 10 for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + 32


def _too_large(size: int, allowed: int) -> RecordTooLargeError:
    return RecordTooLargeError(f"A record of about {size} bytes is larger than {allowed}.")


def _checksums_are_slow() -> bool:
    return not getattr(checksums, "crc32c_c", None)
