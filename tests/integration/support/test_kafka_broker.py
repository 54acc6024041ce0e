"""The Kafka broker of the test fixtures."""

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from tests.support.kafka_broker import KafkaBroker

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.processes,
    pytest.mark.xdist_group("own broker"),  # a small machine has room for one more broker at a time
]


@pytest.mark.parametrize("end", [KafkaBroker.stop, KafkaBroker.kill])
def test_topics_survive_a_restart(own_kafka: KafkaBroker, end) -> None:
    """However the broker ended, it comes back at the same address with its data."""
    admin = KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap_servers)
    admin.create_topics([NewTopic("kept", num_partitions=2, replication_factor=1)])
    admin.close()
    end(own_kafka)
    assert not own_kafka.is_running()

    own_kafka.start()
    admin = KafkaAdminClient(bootstrap_servers=own_kafka.bootstrap_servers)
    topics = admin.list_topics()
    admin.close()

    assert topics == ["kept"]


def test_the_shared_broker_serves_clients(kafka_servers: str, unique: str) -> None:
    """Both one named by the environment, and one started here."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    admin.create_topics([NewTopic(unique, num_partitions=2, replication_factor=1)])
    topics = admin.list_topics()
    admin.close()

    assert unique in topics
