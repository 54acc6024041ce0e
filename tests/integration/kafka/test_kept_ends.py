"""The ends of topics are told again and again on the same connections."""

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.kafka.topic_scan import KeptEnds
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import PARTITIONS

pytestmark = pytest.mark.kafka


def local_ports(connection: KafkaConnection) -> set[int]:
    """Ports of this process with a connection to the broker."""
    broker = int(connection.servers[0].rpartition(":")[2])
    found = psutil.Process().net_connections("tcp")
    return {each.laddr.port for each in found if each.raddr and each.raddr.port == broker}


def test_ends_are_told_on_connections_that_stay_open(
    connection: KafkaConnection, topics: list[str], writer: TopicWriter
) -> None:
    """None is opened for a later question; all are closed at the end."""
    others = local_ports(connection)
    ends = KeptEnds(connection, PARTITIONS)
    before = ends.of(topics)
    opened = local_ports(connection) - others
    writer.publish([Outgoing(topics[0], 2, b"k", b"v")]).wait(20)
    after = ends.of(topics)
    still = local_ports(connection) - others
    ends.close()

    assert {0} == {*before.values()}
    assert {**before, (topics[0], 2): 1} == after
    assert opened == still != set()
    assert local_ports(connection) <= others
    assert after == ends.of(topics)
    ends.close()
