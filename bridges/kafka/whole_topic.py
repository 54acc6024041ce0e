"""Reading a topic from its beginning to its end, as it is now: for people and tests."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from bridges.kafka.connection import KafkaConnection
from bridges.kafka.errors import map_errors
from bridges.kafka.unpack import convert, unpack_whole_batches
from bridges.record import Record


def ends_of(connection: KafkaConnection, topic: str, partitions: int) -> Mapping[int, int]:
    """The offset behind the last record of each partition."""
    found = ends_of_topics(connection, [topic], partitions)
    return {partition: offset for (_, partition), offset in found.items()}


def ends_of_topics(
    connection: KafkaConnection, topics: Sequence[str], partitions: int
) -> Mapping[tuple[str, int], int]:
    """The same for several topics, by topic and partition."""
    places = [TopicPartition(topic, each) for topic in topics for each in range(partitions)]
    with _consumer(connection) as consumer:
        found = consumer.end_offsets(places)
        return {(place.topic, place.partition): offset for place, offset in found.items()}


def read_whole(connection: KafkaConnection, topic: str, partitions: int) -> list[Record]:
    """Every record, in order within its partition."""
    with _consumer(connection) as consumer:
        unpack_whole_batches(consumer)
        places = [TopicPartition(topic, each) for each in range(partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        records: list[Record] = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for found in consumer.poll(timeout_ms=500).values():
                records += [convert(record) for record in found]
        return records


@contextmanager
def _consumer(connection: KafkaConnection) -> Iterator[KafkaConsumer]:
    consumer = connection.make(
        KafkaConsumer,
        group_id=None,
        enable_auto_commit=False,
        metrics_enabled=False,
        isolation_level="read_committed",
    )
    try:
        with map_errors():
            yield consumer
    finally:
        consumer.close()
