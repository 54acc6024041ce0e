"""Fixtures: topics, a writer and readers for each test, on the shared broker."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from order_sagas.bridges.kafka import KafkaConnection, TopicReader, TopicWriter, create_topics
from tests.integration.kafka.owners import RecordingOwner

PARTITIONS = 6

StartReader = Callable[..., TopicReader]


@pytest.fixture
def connection(kafka_servers: str) -> KafkaConnection:
    """A connection to the broker that all tests share."""
    return KafkaConnection(bootstrap_servers=kafka_servers)


@pytest.fixture
def topics(connection: KafkaConnection, unique: str) -> list[str]:
    """Three empty topics with the same number of partitions."""
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
    """Start a reader for an owner; all readers of a test are in one group."""
    readers: list[TopicReader] = []

    def start(owner: RecordingOwner, **settings: Any) -> TopicReader:
        where = settings.pop("connection", connection)
        reader = TopicReader(where, topics, unique, owner, session_timeout=3.0, **settings)
        owner.reader = reader
        readers.append(reader)
        reader.start()
        return reader

    yield start
    for reader in readers:
        reader.stop()
