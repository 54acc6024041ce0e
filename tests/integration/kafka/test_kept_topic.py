"""A topic that is read repeatedly is read once, and then continued."""

import pytest
from kafka import KafkaAdminClient
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.kafka.topic_cache import KeptTopic
from order_sagas.bridges.kafka.topic_scan import read_at
from order_sagas.bridges.logs.kafka_outbox import head_of
from order_sagas.bridges.logs.log_writer import HEAD
from order_sagas.bridges.records.dead_letter import ABOUT
from order_sagas.bridges.records.record import Outgoing, Record
from tests.integration.kafka.conftest import PARTITIONS

pytestmark = pytest.mark.kafka


def write(writer: TopicWriter, topic: str, *numbers: int) -> None:
    """Write records with these values one by one, so that later ones are not older."""
    for number in numbers:
        record = Outgoing(topic, number % PARTITIONS, b"k", b"%d" % number)
        writer.publish([record]).wait(20)


def values(records: list[Record]) -> list[int]:
    """The values of the records, sorted."""
    return sorted(int(record.value or b"") for record in records)


def test_only_what_is_new_is_read(
    connection: KafkaConnection, topics: list[str], writer: TopicWriter
) -> None:
    """Records that were read before are kept."""
    kept = KeptTopic(connection, topics[0], PARTITIONS)
    write(writer, topics[0], *range(20))
    first = kept.read()
    again = kept.read()
    write(writer, topics[0], 20, 21)
    later = kept.read()

    assert [*range(20)] == values(first) == values(again)
    assert [*range(22)] == values(later)
    assert 22 == kept.taken


def test_the_newest_are_kept(
    connection: KafkaConnection, topics: list[str], writer: TopicWriter
) -> None:
    """With any number of records, and of reads."""
    kept = KeptTopic(connection, topics[0], PARTITIONS, newest=5)
    write(writer, topics[0], *range(12))
    first = kept.read()
    write(writer, topics[0], 12, 13)
    later = kept.read()

    assert (5, 5) == (len(first), len(later))
    assert {12, 13} <= {*values(later)}
    assert 14 == kept.taken


def test_records_deleted_by_retention_are_dropped(
    connection: KafkaConnection, topics: list[str], writer: TopicWriter
) -> None:
    """As if the topic had been read anew."""
    kept = KeptTopic(connection, topics[0], PARTITIONS)
    write(writer, topics[0], 0, PARTITIONS, 1)
    kept.read()
    admin = connection.make(KafkaAdminClient)
    admin.delete_records({TopicPartition(topics[0], 0): 1})
    admin.close()

    assert [1, PARTITIONS] == values(kept.read())


def test_large_records_are_kept_in_part_and_read_whole_by_their_place(
    connection: KafkaConnection, topics: list[str], writer: TopicWriter
) -> None:
    """So that a topic of large dead letters does not fill the memory."""
    values = [b"a" * 100_000, b"b" * 20, b"c" * 100_000]
    for value in values:
        writer.publish([Outgoing(topics[0], 1, b"k", value)]).wait(20)
    kept = KeptTopic(connection, topics[0], PARTITIONS, keep=head_of)
    whole = list(read_at(connection, topics[0], [(1, 2), (1, 0), (1, 9), (0, 0)]))

    assert [HEAD, 20, HEAD] == [len(record.value or b"") for record in kept.read()]
    assert [values[2], values[0]] == [record.value for record in whole]


def test_the_headers_that_describe_a_letter_are_kept_of_many() -> None:
    """Only in part, if they are large."""
    headers = (*((f"own-{n}", b"x" * 1000) for n in range(50)), *((name, b"1") for name in ABOUT))
    kept = head_of(Record("dead-letters", 0, 0, None, None, headers))

    assert tuple((name, b"1") for name in ABOUT) == kept.headers
    assert (None, None) == (kept.key, kept.value)
