"""Topics are created once, and a mismatch is refused."""

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.kafka import (
    BrokerUnreachableError,
    KafkaConnection,
    TopicMismatchError,
    TopicMissingError,
    check_topics,
    create_topics,
)
from order_sagas.bridges.kafka.topics import batch_limits
from tests.support.kafka_broker import KafkaBroker
from tests.support.ports import free_port

pytestmark = pytest.mark.kafka


def test_topics_are_made_once(connection: KafkaConnection, unique: str) -> None:
    """The second time nothing is done; a topic that was added since is created."""
    one, two = f"{unique}-one", f"{unique}-two"

    assert create_topics(connection, [one], partitions=3) == [one]
    assert create_topics(connection, [one, two], partitions=3) == [two]
    assert create_topics(connection, [one, two], partitions=3) == []
    assert check_topics(connection, [one, two]) == 3


def test_another_partition_count_is_refused_and_nothing_is_made(
    connection: KafkaConnection, unique: str
) -> None:
    """The message names the topic and both counts."""
    there, new = f"{unique}-there", f"{unique}-new"
    create_topics(connection, [there], partitions=3)

    with pytest.raises(TopicMismatchError, match=f"must have 4 partitions.*{there} has 3"):
        create_topics(connection, [there, new], partitions=4)
    with pytest.raises(TopicMissingError):
        check_topics(connection, [new])
    with pytest.raises(TopicMismatchError):
        check_topics(connection, [there], partitions=4)


def test_topics_that_differ_among_each_other_are_refused(
    connection: KafkaConnection, unique: str
) -> None:
    """Otherwise a shard would have no partition in one of them."""
    create_topics(connection, [f"{unique}-one"], partitions=3)
    create_topics(connection, [f"{unique}-two"], partitions=4)

    with pytest.raises(TopicMismatchError, match="two has 4"):
        check_topics(connection, [f"{unique}-one", f"{unique}-two"])


def test_missing_topics_are_named_with_what_to_do(connection: KafkaConnection, unique: str) -> None:
    """In the error of a start against an empty broker."""
    with pytest.raises(TopicMissingError, match=f"{unique}.*`topics create`"):
        check_topics(connection, [unique])


def test_a_compacted_topic_is_refused(connection: KafkaConnection, unique: str) -> None:
    """Also one that deletes by age as well. Topics that are created are not compacted."""
    one, two = f"{unique}-one", f"{unique}-two"
    create_topics(connection, [one, two], partitions=1)
    admin = KafkaAdminClient(**connection.client_settings())
    policy = {"cleanup.policy": "compact,delete"}
    admin.alter_configs([ConfigResource("TOPIC", two, policy)])
    admin.close()

    assert 1 == check_topics(connection, [one])
    with pytest.raises(TopicMismatchError, match=f"{two}: cleanup.policy is compact"):
        check_topics(connection, [one, two])


def test_the_dead_letter_topic_takes_every_record(own_kafka: KafkaBroker) -> None:
    """With its headers, and without a limit of time."""
    connection = KafkaConnection(bootstrap_servers=own_kafka.bootstrap_servers)
    create_topics(connection, ["orders", DEAD_LETTERS], partitions=1)
    limits = batch_limits(connection, ["orders", DEAD_LETTERS])

    assert 2 * limits["orders"] == limits[DEAD_LETTERS]


def test_a_missing_broker_is_reported_quickly() -> None:
    """Not after the client's timeout of half a minute."""
    nobody = KafkaConnection(bootstrap_servers=f"127.0.0.1:{free_port()}")

    with pytest.raises(BrokerUnreachableError, match="No Kafka broker answers"):
        check_topics(nobody, ["orders"])
