"""Topics, a writer and readers of a test's own, on the broker that all share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from order_sagas.bridges.kafka import KafkaConnection, TopicReader, TopicWriter, create_topics
from tests.integration.kafka.owners import NotingOwner

PARTITIONS = 6

StartReader = Callable[..., TopicReader]


@pytest.fixture
def connection(kafka_servers: str) -> KafkaConnection:
    """To the broker that all tests share."""
    return KafkaConnection(bootstrap_servers=kafka_servers)


@pytest.fixture
def topics(connection: KafkaConnection, unique: str) -> list[str]:
    """Three topics with the same partitions, empty."""
    names = [f"{unique}-{name}" for name in ("orders", "payments", "stock")]
    create_topics(connection, names, partitions=PARTITIONS)
    return names


@pytest.fixture
def writer(connection: KafkaConnection, topics: list[str]) -> Iterator[TopicWriter]:
    """A writer that knows the topics."""
    writer = TopicWriter(connection)
    writer.start(topics)
    yield writer
    writer.close()


@pytest.fixture
def start_reader(
    connection: KafkaConnection, topics: list[str], unique: str
) -> Iterator[StartReader]:
    """Starts a reader for an owner; all of a test are one group."""
    readers: list[TopicReader] = []

    def start(owner: NotingOwner, **settings: Any) -> TopicReader:
        where = settings.pop("connection", connection)
        reader = TopicReader(where, topics, unique, owner, session_timeout=3.0, **settings)
        owner.reader = reader
        readers.append(reader)
        reader.start()
        return reader

    yield start
    for reader in readers:
        reader.stop()
