"""The broker is down for a while, and workers freeze: all continue by themselves."""

import pytest

from order_sagas.bridges.kafka import (
    KafkaConnection,
    NotAcknowledgedError,
    TopicMissingError,
    TopicReader,
    TopicWriter,
    create_topics,
)
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.owners import RecordingOwner
from tests.support.kafka_broker import KafkaBroker

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.processes,
    pytest.mark.xdist_group("own broker"),  # a small machine has room for one more broker at a time
]


def test_reader_and_writer_continue_after_the_broker_was_down(own_kafka: KafkaBroker) -> None:
    """Started while it is down, and again when it is killed: published records arrive once."""
    connection = KafkaConnection(bootstrap_servers=own_kafka.bootstrap_servers)
    create_topics(connection, ["orders"], partitions=2)
    writer = TopicWriter(connection)
    writer.start(["orders"])
    own_kafka.stop()

    owner = RecordingOwner()
    owner.reader = TopicReader(connection, ["orders"], "workers", owner, session_timeout=3.0)
    owner.reader.start()
    owner.wait_for("disconnected")
    early = writer.publish([Outgoing("orders", 0, b"k", b"1"), Outgoing("orders", 1, b"k", b"2")])
    own_kafka.start()
    early.wait(30)
    owner.wait_for_records(2)
    assert owner.count("connected") == 1

    _ask_for_a_missing_topic(own_kafka, connection)

    own_kafka.kill()
    owner.wait_for("disconnected", times=2)
    late = writer.publish([Outgoing("orders", 0, b"k", b"3")])
    own_kafka.start()
    late.wait(30)
    owner.wait_for_records(3)
    owner.wait_for("connected", times=2)
    owner.reader.stop()
    writer.close()

    assert sorted(record.value or b"" for record in owner.records) == [b"1", b"2", b"3"]


def _ask_for_a_missing_topic(broker: KafkaBroker, connection: KafkaConnection) -> None:
    """A broker that does not answer is not taken for one without the topic.

    A missing topic needs an operator; the records of the other are published again later.
    """
    writer = TopicWriter(connection, metadata_timeout=0.5)
    writer.start()
    records = [Outgoing("missing", 0, b"k", b"v"), Outgoing("missing", 1, b"k", b"v")]
    with broker.frozen():
        silent = writer.publish(records)
    answered = writer.publish(records)
    with pytest.raises(NotAcknowledgedError, match="the partitions of missing"):
        silent.wait(20)
    with pytest.raises(TopicMissingError):
        answered.wait(20)
    writer.close()
