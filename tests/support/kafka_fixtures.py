"""Fixtures for tests against a real Kafka.

`KAFKA_BOOTSTRAP_SERVERS` names a broker to use; without it one is started if Java and Maven are
installed. Otherwise these tests are skipped, or fail if `REQUIRE_KAFKA=1`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.kafka_broker import QUICK_START, KafkaBroker
from tests.support.kafka_jars import why_no_broker
from tests.support.required import skip_or_fail
from tests.support.session_servers import shared_broker


@pytest.fixture(scope="session")
def kafka_servers() -> str:
    """`host:port[,host:port]` of a broker that all tests of this run share."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return given
    need_kafka()
    return shared_broker().bootstrap_servers


@pytest.fixture(scope="session")
def local_kafka() -> KafkaBroker:
    """The shared broker with our configuration, for tests of TLS and SASL."""
    need_kafka()
    return shared_broker()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A running broker for this test only, which may stop, kill and restart it."""
    need_kafka()
    broker = KafkaBroker(tmp_path / "kafka", jvm_options=QUICK_START)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def unique() -> str:
    """A unique prefix for topics and groups, since tests share a broker."""
    return f"test-{uuid4().hex[:12]}"


def need_kafka() -> None:
    """Skip the test if there is no Kafka, or fail it if Kafka is required."""
    if missing := why_no_broker():
        skip_or_fail("REQUIRE_KAFKA", missing)
