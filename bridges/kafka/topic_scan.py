"""Reads a topic from beginning to end, without a consumer group, for people and tests."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.consumer_listener import Extent
from order_sagas.bridges.kafka.errors import KafkaRefusedError, map_errors
from order_sagas.bridges.kafka.fast_fetch import convert, unpack_whole_batches
from order_sagas.bridges.kafka.topics import ids_of_topics
from order_sagas.bridges.records.record import Record


def ends_of(connection: KafkaConnection, topic: str, partitions: int) -> Mapping[int, int]:
    """The offset after the last record of each partition."""
    found = ends_of_topics(connection, [topic], partitions)
    return {partition: offset for (_, partition), offset in found.items()}


def ends_of_topics(
    connection: KafkaConnection, topics: Sequence[str], partitions: int
) -> Mapping[tuple[str, int], int]:
    """The offset after the last record, by topic and partition."""
    with scanning_consumer(connection) as consumer:
        return _ends(consumer, topics, partitions)


def _ends(
    consumer: KafkaConsumer, topics: Sequence[str], partitions: int
) -> Mapping[tuple[str, int], int]:
    places = [TopicPartition(topic, each) for topic in topics for each in range(partitions)]
    found = _offsets(consumer.end_offsets, places)
    return {(place.topic, place.partition): offset for place, offset in found.items()}


class KeptEnds:
    """Reads the end offsets of topics repeatedly, on connections that stay open. Thread-safe.

    They are opened at the first read, and again after an error. A process that exits need not call
    `close`.
    """

    def __init__(self, connection: KafkaConnection, partitions: int) -> None:
        self._connection = connection
        self._partitions = partitions
        self._asking = threading.Lock()
        # Not a context: as a generator it would be closed at the exit of the interpreter, when the
        # client's thread has ended, and would wait for it for ever.
        self._consumer: KafkaConsumer | None = None

    def of(self, topics: Sequence[str]) -> Mapping[tuple[str, int], int]:
        """Return the offset after the last record, by topic and partition.

        Raises KafkaClientError.
        """
        with self._asking:
            try:
                if self._consumer is None:
                    self._consumer = _consumer(self._connection)
                with map_errors():
                    return _ends(self._consumer, topics, self._partitions)
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """Close the connections, if they are open."""
        with self._asking:
            self._close()

    def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer:
            consumer.close()


def extents_of_topics(
    connection: KafkaConnection, topics: Sequence[str], partitions: int
) -> dict[tuple[str, int], Extent]:
    """What each partition of the topics holds, with the ids of the topics."""
    places = [TopicPartition(topic, each) for topic in topics for each in range(partitions)]
    ids = ids_of_topics(connection, topics)
    with scanning_consumer(connection) as consumer:
        ends = _offsets(consumer.end_offsets, places)
        begins = _offsets(consumer.beginning_offsets, places)
    return {
        (place.topic, place.partition): Extent(begins[place], ends[place], ids[place.topic])
        for place in places
    }


def read_whole(
    connection: KafkaConnection,
    topic: str,
    partitions: int,
    keep: Callable[[Record], Record] | None = None,
) -> list[Record]:
    """Every record of a topic, in order within its partition, as `keep` makes them."""
    return read_on(connection, topic, dict.fromkeys(range(partitions), 0), keep).records


def read_at(
    connection: KafkaConnection, topic: str, places: Sequence[tuple[int, int]]
) -> Iterator[Record]:
    """The records at these places (partition, offset), in their order, as far as they exist."""
    with scanning_consumer(connection) as consumer:
        begins, ends = _begins_and_ends(consumer, topic, {partition for partition, _ in places})
        for partition, offset in places:
            place = TopicPartition(topic, partition)
            if not begins[place] <= offset < ends[place]:
                continue
            consumer.assign([place])
            consumer.seek(place, offset)
            while consumer.position(place) <= offset:
                for record in consumer.poll(timeout_ms=500, max_records=1).get(place, ()):
                    if record.offset == offset:
                        yield convert(record)


@attrs.frozen
class More:
    """The records from given offsets on, and where each partition begins and ends now."""

    records: list[Record]
    begins: Mapping[int, int]
    ends: Mapping[int, int]
    is_anew: bool
    """True if an offset was beyond the end: the topic was created again, and was read as a whole.
    """


def read_on(
    connection: KafkaConnection,
    topic: str,
    positions: Mapping[int, int],
    keep: Callable[[Record], Record] | None = None,
) -> More:
    """Every record from these offsets (by partition) on, in order within its partition.

    `keep` makes of each what is returned, as soon as it is read: large records need not be held.
    """
    with scanning_consumer(connection) as consumer:
        unpack_whole_batches(consumer)
        places = {TopicPartition(topic, each): at for each, at in positions.items()}
        consumer.assign([*places])
        begins, ends = _begins_and_ends(consumer, topic, positions)
        is_anew = any(at > ends[place] for place, at in places.items())
        for place, at in places.items():
            consumer.seek(place, begins[place] if is_anew else max(at, begins[place]))
        records: list[Record] = []
        reached = {place: consumer.position(place) for place in places}
        while any(reached[place] < end for place, end in ends.items()):
            for found in consumer.poll(timeout_ms=500).values():
                new = map(convert, found)
                records += map(keep, new) if keep else new
            reached = {place: consumer.position(place) for place in places}
        return More(
            records,
            {place.partition: begin for place, begin in begins.items()},
            {place.partition: at for place, at in reached.items()},
            is_anew,
        )


def _begins_and_ends(
    consumer: KafkaConsumer, topic: str, partitions: Iterable[int]
) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
    places = [TopicPartition(topic, each) for each in partitions]
    return _offsets(consumer.beginning_offsets, places), _offsets(consumer.end_offsets, places)


def _offsets(
    tell: Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]],
    places: Sequence[TopicPartition],
) -> Mapping[TopicPartition, int]:
    """Return the client's offsets of these partitions.

    Raises KafkaRefusedError if some are missing.
    """
    try:
        found = tell(places)
    except KeyError:  # the client has no partitions of a topic that it may not read
        found = {}
    lacking = sorted({place.topic for place in places if place not in found})
    if lacking:
        raise KafkaRefusedError(
            f"Kafka returned no offsets of {', '.join(lacking)}: it may be that "
            "this login may not read it"
        )
    return found


@contextmanager
def scanning_consumer(connection: KafkaConnection) -> Iterator[KafkaConsumer]:
    """Return a context with a consumer without a group. Raises KafkaClientError within."""
    consumer = _consumer(connection)
    try:
        with map_errors():
            yield consumer
    finally:
        consumer.close()


def _consumer(connection: KafkaConnection) -> KafkaConsumer:
    return connection.make(
        KafkaConsumer,
        group_id=None,
        enable_auto_commit=False,
        metrics_enabled=False,
        isolation_level="read_committed",
    )
