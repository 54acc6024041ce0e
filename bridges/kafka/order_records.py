"""Records of one order in Kafka's topics, found by their times."""

import time
from collections.abc import Collection, Iterable, Sequence

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.fast_fetch import convert
from order_sagas.bridges.kafka.topic_scan import scanning_consumer
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.storage.order_records import (
    MOST_BYTES,
    MOST_FOUND,
    MOST_READ,
    OrderRecord,
    OrderRecords,
    windows,
)

LONGEST = 5.0
"""Seconds after which the search ends."""

Range = tuple[int, int]
"""The first offset to read, and the one after the last."""


def records_in_topics(
    connection: KafkaConnection,
    topics: Sequence[str],
    partitions: int,
    order_id: str,
    keys: Collection[str],
    moments: Iterable[float],
) -> OrderRecords:
    """Return the records of an order that were written around these moments, the oldest first.

    They have one of these `keys`, and those with another key than the order id have it in their
    value. `moments` are in seconds since the Unix epoch. Raises KafkaClientError.
    """
    raw = {key.encode() for key in keys}
    shards = {partition_for(key, partitions) for key in raw}
    places = [TopicPartition(topic, shard) for topic in topics for shard in sorted(shards)]
    found: list[OrderRecord] = []
    left, until = MOST_READ, time.monotonic() + LONGEST
    own = order_id.encode()
    with scanning_consumer(connection) as consumer:
        for begin, end in windows(moments):
            for place, (low, high) in _ranges(consumer, places, begin, end).items():
                consumer.assign([place])
                consumer.seek(place, low)
                while consumer.position(place) < high and left > 0 and time.monotonic() < until:
                    for record in map(convert, consumer.poll(timeout_ms=500).get(place, ())):
                        left -= 1
                        value = record.value or b""
                        is_of_order = record.key == own or (record.key in raw and own in value)
                        if record.offset < high and is_of_order:
                            found.append(_order_record(record, value))
    found.sort(key=lambda record: (record.at, record.topic, record.offset))
    problem = ""
    if left <= 0 or time.monotonic() >= until:
        problem = (
            f"the topics were searched for {LONGEST:g} s or {MOST_READ} records, not to an end"
        )
    elif len(found) > MOST_FOUND:
        problem = f"the saga has {len(found)} records; the newest {MOST_FOUND} are shown"
    return OrderRecords(found[-MOST_FOUND:], problem)


def _order_record(record: Record, value: bytes) -> OrderRecord:
    return OrderRecord(
        record.timestamp, record.topic, record.partition, record.offset, value[:MOST_BYTES]
    )


def _ranges(
    consumer: KafkaConsumer, places: Sequence[TopicPartition], begin: float, end: float
) -> dict[TopicPartition, Range]:
    """The offsets of the records that were written in this time, of places that have some."""
    begins = consumer.offsets_for_times(dict.fromkeys(places, int(begin * 1000)))
    some = [place for place in places if begins.get(place) is not None]
    ends = consumer.offsets_for_times(dict.fromkeys(some, int(end * 1000))) if some else {}
    last = consumer.end_offsets(some) if some else {}
    return {
        place: (begins[place].offset, ends[place].offset if ends.get(place) else last[place])
        for place in some
    }
