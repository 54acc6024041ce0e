"""A clock that differs is detected from the records of a real broker."""

import time

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.kafka.clock_watch import ClockWatch
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import StartReader
from tests.integration.kafka.owners import RecordingOwner
from tests.support.logged import captured_logs

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize(
    ("times", "ahead", "found"),
    [
        ("LogAppendTime", 3600.0, ["behind"]),
        ("LogAppendTime", -3600.0, ["ahead"]),
        ("LogAppendTime", 0.0, []),
        ("CreateTime", 3600.0, []),
    ],
)
def test_a_broker_that_sets_timestamps_reports_its_clock(
    connection: KafkaConnection, topics: list[str], times: str, ahead: float, found: list[str]
) -> None:
    """In its response to a writer. With timestamps of the writer, it does not."""
    admin = KafkaAdminClient(**connection.client_settings())
    admin.alter_configs([ConfigResource("TOPIC", topics[0], {"message.timestamp.type": times})])
    admin.close()
    writer = TopicWriter(connection, clocks=ClockWatch(lambda: time.time() + ahead))
    writer.start(topics)
    with captured_logs() as lines:
        writer.publish([Outgoing(topics[0], 0, b"k", b"v")]).wait(20)
        writer.close()

    warned = [line for line in lines if line["event"] == "clock.differs"]
    assert found == [line["broker"] for line in warned]
    assert all(3590 < line["seconds"] < 3610 for line in warned)


def test_a_clock_that_is_ahead_is_detected_by_readers(
    connection: KafkaConnection, topics: list[str], start_reader: StartReader
) -> None:
    """From records of another worker, or of a service elsewhere."""
    producer = KafkaProducer(**connection.client_settings())
    later = int((time.time() + 3600) * 1000)
    producer.send(topics[0], b"v", partition=0, timestamp_ms=later).get(20)
    producer.close()
    with captured_logs() as lines:
        owner = RecordingOwner()
        start_reader(owner)
        owner.wait_for_records(1)

    (warned,) = [line for line in lines if line["event"] == "clock.differs"]
    assert ("ahead", topics[0]) == (warned["records"], warned["topic"])
    assert 3500 < warned["seconds"] < 3610
