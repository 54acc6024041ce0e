"""Published records arrive in order, or are known to have failed."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from structlog.testing import capture_logs

from order_sagas.bridges.kafka import (
    KafkaClientError,
    KafkaConnection,
    RecordTooLargeError,
    TopicMissingError,
    TopicWriter,
)
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import PARTITIONS, StartReader
from tests.integration.kafka.owners import RecordingOwner

pytestmark = pytest.mark.kafka


@pytest.fixture(params=[True, False], ids=["whole batches", "record by record"])
def any_writer(
    connection: KafkaConnection, topics: list[str], request: pytest.FixtureRequest
) -> Iterator[TopicWriter]:
    """A writer of each of the two implementations."""
    writer = TopicWriter(
        connection,
        whole_batches=request.param,
        max_record_bytes=10_000,
        batch_bytes=20_000,
        metadata_timeout=1.0,
    )
    with capture_logs() as lines:
        writer.start(topics)
    assert [request.param] == [each["whole_batches"] for each in lines if "whole_batches" in each]
    yield writer
    writer.close()


def test_records_arrive_whole_and_in_order(
    any_writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """Over many batches, topics and publications, with null, empty and arbitrary bytes."""
    sent = [
        Outgoing(topic, number % PARTITIONS, b"k%d" % number, b"v%d" % number * 20)
        for number in range(1200)
        for topic in topics
    ]
    odd = [
        Outgoing(topics[0], 1, None, b"\x00\xff" * 10, (("error", b"\xfe"), ("none", b""))),
        Outgoing(topics[0], 1, b"\xff", None),
        Outgoing(topics[0], 1, b"", b""),
    ]
    publications = [any_writer.publish(sent[at : at + 700]) for at in range(0, len(sent), 700)]
    publications.append(any_writer.publish(odd))
    for publication in publications:
        publication.wait(20)
    owner = RecordingOwner()
    start_reader(owner)
    records = owner.wait_for_records(len(sent) + len(odd))

    def of(found: list[Outgoing], topic: str, partition: int) -> list[tuple[object, ...]]:
        return [
            (r.key, r.value, r.headers)
            for r in found
            if (r.topic, r.partition) == (topic, partition)
        ]

    read = [Outgoing(r.topic, r.partition, r.key, r.value, r.headers) for r in records]
    for topic in topics:
        for partition in range(PARTITIONS):
            assert of(sent + odd, topic, partition) == of(read, topic, partition)


def test_a_record_that_is_too_large_fails_alone(
    any_writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """Its neighbours are written."""
    publication = any_writer.publish(
        [
            Outgoing(topics[0], 0, b"k", b"before"),
            Outgoing(topics[0], 0, b"k", b"x" * 20_000),
            Outgoing(topics[0], 0, b"k", b"after"),
        ]
    )
    with pytest.raises(RecordTooLargeError):
        publication.wait(20)
    owner = RecordingOwner()
    start_reader(owner)
    owner.wait_for_records(2)

    assert list(publication.failures) == [1]
    assert owner.values() == {(topics[0], 0): [b"before", b"after"]}


def test_a_missing_topic_or_partition_fails_alone(
    any_writer: TopicWriter, topics: list[str], unique: str
) -> None:
    """The error says what to do."""
    publication = any_writer.publish(
        [
            Outgoing(f"{unique}-unknown", 0, b"k", b"v"),
            Outgoing(topics[0], PARTITIONS, b"k", b"v"),
            Outgoing(topics[0], 0, b"k", b"v"),
        ]
    )
    with pytest.raises(TopicMissingError, match="`topics create`"):
        publication.wait(20)

    assert set(publication.failures) == {0, 1}
    assert isinstance(publication.failures[1], TopicMissingError)


def test_a_topics_own_limit_is_respected(connection: KafkaConnection, unique: str) -> None:
    """A topic may accept less than our batches contain; only the record that is too large fails."""
    make_topic(connection, unique, limit=3000)
    writer = TopicWriter(connection)
    writer.start([unique])
    values = [b"%d" % number * 100 for number in range(100)]
    values[40] = b"x" * 4000
    publication = writer.publish([Outgoing(unique, 0, b"k", value) for value in values])
    with pytest.raises(RecordTooLargeError):
        publication.wait(20)
    writer.close()

    assert list(publication.failures) == [40]


def test_limits_of_topics_are_independent(connection: KafkaConnection, unique: str) -> None:
    """A record that is too large for one topic fits in another, such as the dead letters."""
    make_topic(connection, f"{unique}-small", limit=3000)
    make_topic(connection, f"{unique}-large", limit=6_000_000)
    topics = [f"{unique}-small", f"{unique}-large"]
    writer = TopicWriter(connection)
    writer.start(topics)
    publication = writer.publish([Outgoing(t, 0, b"k", b"x" * 5_000_000) for t in topics])
    with pytest.raises(RecordTooLargeError):
        publication.wait(20)
    writer.close()

    assert [0] == list(publication.failures)


@pytest.mark.parametrize("whole_batches", [True, False])
def test_a_raised_limit_is_respected(
    connection: KafkaConnection, unique: str, whole_batches: bool
) -> None:
    """By a running writer, also if it is above the limits of all other topics."""
    make_topic(connection, unique, limit=3000)
    writer = TopicWriter(connection, whole_batches=whole_batches)
    writer.start([unique])
    admin = KafkaAdminClient(**connection.client_settings())
    admin.alter_configs([ConfigResource("TOPIC", unique, {"max.message.bytes": "4000000"})])
    admin.close()
    writer.publish([Outgoing(unique, 0, b"k", b"x" * 3_000_000)]).wait(20)
    writer.close()


def test_a_batch_above_the_limit_of_its_topic_is_split(
    connection: KafkaConnection, unique: str
) -> None:
    """The limit may be lowered while we write to the topic."""
    make_topic(connection, unique, limit=3000)
    writer = TopicWriter(connection)
    writer.start()
    values = [b"%d" % number * 100 for number in range(100)]
    writer.publish([Outgoing(unique, 0, b"k", value) for value in values]).wait(20)
    writer.close()


def test_the_writer_survives_a_record_that_only_the_broker_finds_too_large(
    connection: KafkaConnection, unique: str
) -> None:
    """It ends the client's idempotent producer; the writer starts another."""
    make_topic(connection, unique, limit=3000)
    writer = TopicWriter(connection)
    writer.start()
    with pytest.raises(RecordTooLargeError):
        writer.publish([Outgoing(unique, 0, b"k", b"x" * 4000)]).wait(20)
    writer.publish([Outgoing(unique, 0, b"k", b"small")]).wait(20)
    writer.close()


@pytest.mark.parametrize("whole_batches", [True, False])
def test_only_the_record_that_the_broker_rejects_is_called_too_large(
    connection: KafkaConnection, unique: str, whole_batches: bool
) -> None:
    """It ends the producer, which fails its neighbours: they may be published again."""
    make_topic(connection, unique, limit=3000)
    writer = TopicWriter(connection, whole_batches=whole_batches)
    writer.start()
    values = [b"%d" % number * 100 for number in range(20)]
    values[7] = values[13] = b"x" * 4000
    waiting, refused = dict(enumerate(values)), set()
    while waiting:
        numbers = [*waiting]
        publication = writer.publish([Outgoing(unique, 0, b"k", waiting[n]) for n in numbers])
        with suppress(KafkaClientError):
            publication.wait(20)
        errors = {numbers[place]: error for place, error in publication.failures.items()}
        refused |= {n for n, error in errors.items() if isinstance(error, RecordTooLargeError)}
        waiting = {n: values[n] for n in errors if n not in refused}
    writer.close()

    assert {7, 13} == refused


def make_topic(connection: KafkaConnection, name: str, *, limit: int) -> None:
    """A topic of one partition that takes batches of at most `limit` bytes."""
    admin = KafkaAdminClient(**connection.client_settings())
    configs = {"max.message.bytes": str(limit)}
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
    admin.wait_for_topics([name])
    admin.close()
