"""Records of an order are found in Kafka's topics by time and key."""

import time

import pytest

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.kafka.order_records import records_in_topics
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import PARTITIONS

pytestmark = pytest.mark.kafka


def test_records_of_an_order_are_found(
    writer: TopicWriter, topics: list[str], connection: KafkaConnection
) -> None:
    """In every topic. With a shared key, only those that name the order. Not of other times."""

    def record(topic: str, key: bytes, value: bytes) -> Outgoing:
        return Outgoing(topic, partition_for(key, PARTITIONS), key, value)

    first, second = topics[:2]
    writer.publish(
        [
            record(first, b"A", b"1"), record(first, b"B", b"of another"),
            record(second, b"A", b"2"), record(second, b"main", b'"A"'),
            record(second, b"main", b'"B"'),
        ]
    ).wait(20)  # fmt: skip
    now = time.time()

    def found(moment: float) -> list[bytes]:
        records = records_in_topics(
            connection, topics, PARTITIONS, "A", ("A", "main"), [moment, moment - 1]
        )
        assert "" == records.problem
        return sorted(each.value for each in records.records)

    assert [b'"A"', b"1", b"2"] == found(now)
    assert [] == found(now - 3600)
    assert [] == found(now + 3600)
