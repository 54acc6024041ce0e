"""Topics are made once, and what does not fit is refused."""

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
    """The second time there is nothing to do; a topic that was added since is made."""
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
    """Else a shard would have no partition in some topic."""
    create_topics(connection, [f"{unique}-one"], partitions=3)
    create_topics(connection, [f"{unique}-two"], partitions=4)

    with pytest.raises(TopicMismatchError, match="two has 4"):
        check_topics(connection, [f"{unique}-one", f"{unique}-two"])


def test_missing_topics_are_named_and_it_is_said_what_to_do(
    connection: KafkaConnection, unique: str
) -> None:
    """A start against an empty broker explains itself."""
    with pytest.raises(TopicMissingError, match=f"{unique}.*`topics create`"):
        check_topics(connection, [unique])


def test_a_compacted_topic_is_refused(connection: KafkaConnection, unique: str) -> None:
    """Also one that deletes by age besides; a topic of ours is never compacted by default."""
    one, two = f"{unique}-one", f"{unique}-two"
    create_topics(connection, [one, two], partitions=1)
    admin = KafkaAdminClient(**connection.client_settings())
    policy = {"cleanup.policy": "compact,delete"}
    admin.alter_configs([ConfigResource("TOPIC", two, policy)])
    admin.close()

    assert 1 == check_topics(connection, [one])
    with pytest.raises(TopicMismatchError, match=f"{two}: cleanup.policy is compact"):
        check_topics(connection, [one, two])


def test_dead_letters_take_whatever_another_topic_takes(own_kafka: KafkaBroker) -> None:
    """With what is told of it beside it, and for as long as nobody has seen to it."""
    connection = KafkaConnection(bootstrap_servers=own_kafka.bootstrap_servers)
    create_topics(connection, ["orders", DEAD_LETTERS], partitions=1)
    limits = batch_limits(connection, ["orders", DEAD_LETTERS])

    assert 2 * limits["orders"] == limits[DEAD_LETTERS]


def test_a_broker_that_is_not_there_is_told_in_a_moment() -> None:
    """Not after the client's half a minute."""
    nobody = KafkaConnection(bootstrap_servers=f"127.0.0.1:{free_port()}")

    with pytest.raises(BrokerUnreachableError, match="No Kafka broker answers"):
        check_topics(nobody, ["orders"])
