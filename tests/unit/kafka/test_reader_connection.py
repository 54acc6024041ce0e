"""What the reader makes of a Kafka that answers, and does not let it read."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import errors as theirs

from order_sagas.bridges.kafka import KafkaConnection, TopicReader
from tests.integration.kafka.owners import RecordingOwner

TOPICS = ["orders", "stock"]


class Client:
    """The part of a KafkaConsumer that tells what is known of the cluster."""

    def __init__(self) -> None:
        self.topics, self.refused, self.unknown = {*TOPICS}, set[str](), False
        self._coordinator = SimpleNamespace(coordinator_unknown=lambda: self.unknown)
        self._cluster: Any = self

    @property
    def unauthorized_topics(self) -> set[str]:
        return self.refused

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in self.topics else None


@pytest.fixture
def reader() -> TopicReader:
    """A reader that is not started."""
    connection = KafkaConnection(bootstrap_servers="localhost:1")
    return TopicReader(connection, TOPICS, "group", RecordingOwner())


def told(reader: TopicReader) -> list[str]:
    """Return what the owner was told."""
    owner: Any = reader._owner
    return [event for event, _ in owner.events]


@pytest.mark.parametrize("refused", [False, True], ids=["deleted", "not authorised"])
def test_a_topic_that_is_gone_is_an_outage_until_it_is_back(
    reader: TopicReader, refused: bool
) -> None:
    """Its deadlines are postponed; before the topics were seen once, nothing is known."""
    client: Any = Client()
    client.topics = set()
    reader._note_connection(client)
    assert [] == told(reader)
    client.topics = {*TOPICS}
    reader._note_connection(client)
    client.topics.discard("stock")
    client.refused = {"stock"} if refused else set()
    reader._note_connection(client)
    reader._note_connection(client)
    client.topics.add("stock")
    reader._note_connection(client)

    assert ["connected", "disconnected", "connected"] == told(reader)


@pytest.mark.parametrize(
    "error",
    [theirs.TopicAuthorizationFailedError, theirs.GroupAuthorizationFailedError,
     theirs.UnknownTopicOrPartitionError, theirs.KafkaConnectionError],
)  # fmt: skip
def test_a_reader_that_fails_for_lack_of_kafka_is_an_outage(
    reader: TopicReader, error: type[Exception]
) -> None:
    """Rights that were taken away, and topics that were deleted, like brokers that are down."""
    reader._note_connection(Client())
    reader._log_failure("kafka.reader_failed", error())

    assert ["connected", "disconnected"] == told(reader)


def test_another_failure_is_none(reader: TopicReader) -> None:
    """The reader connects again, and goes on."""
    reader._note_connection(Client())
    reader._log_failure("kafka.reader_failed", theirs.OffsetOutOfRangeError())

    assert ["connected"] == told(reader)


def test_a_topic_that_may_not_be_read_from_the_start_is_told(reader: TopicReader) -> None:
    """The broker has said so: that is more than not having found it yet."""
    client: Any = Client()
    client.topics, client.refused = {"orders"}, {"stock"}
    reader._note_connection(client)
    client.topics, client.refused = {*TOPICS}, set()
    reader._note_connection(client)

    assert ["disconnected", "connected"] == told(reader)
