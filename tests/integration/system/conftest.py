"""Fixtures: a system on a real Kafka with its own database, PostgreSQL or an SQLite file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.kafka_broker import QUICK_START, KafkaBroker
from tests.support.kafka_fixtures import need_kafka
from tests.support.kafka_system import KafkaSystem, fresh_topics

MakeSystem = Callable[..., KafkaSystem]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for all of these tests, which run one after the other: topics have fixed names."""
    need_kafka()
    broker = KafkaBroker(Path(tmp_path_factory.mktemp("kafka")), jvm_options=QUICK_START)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def topics(broker: KafkaBroker) -> str:
    """The address of Kafka, with empty topics."""
    fresh_topics(broker.bootstrap_servers)
    return broker.bootstrap_servers


@pytest.fixture
def make_system(topics: str, tmp_path: Path) -> Iterator[MakeSystem]:
    """Make a system on a database, with settings."""
    made: list[KafkaSystem] = []

    def make(database: str, **settings: object) -> KafkaSystem:
        system = KafkaSystem(tmp_path, topics, database, **settings)
        made.append(system)
        return system

    yield make
    for system in made:
        system.close()


@pytest.fixture
def system(make_system: MakeSystem, postgres_url: str) -> KafkaSystem:
    """A system on PostgreSQL, with default settings except for a short session."""
    return make_system(postgres_url)
