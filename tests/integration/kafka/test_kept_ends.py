"""The end offsets of topics are read repeatedly over the same connections."""

import subprocess
import sys

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


def test_ends_are_read_on_connections_that_stay_open(
    connection: KafkaConnection, topics: list[str], writer: TopicWriter
) -> None:
    """No connection is opened for a later read; all are closed at the end."""
    record = Outgoing(topics[0], 2, b"k", b"v")
    writer.publish([record]).wait(20)  # so that it opens no connection any more
    others = local_ports(connection)
    ends = KeptEnds(connection, PARTITIONS)
    before = ends.of(topics)
    opened = local_ports(connection) - others
    writer.publish([record]).wait(20)
    after = ends.of(topics)
    still = local_ports(connection) - others
    ends.close()

    assert {(topics[0], 2): 1} == {place: end for place, end in before.items() if end}
    assert {**before, (topics[0], 2): 2} == after
    assert opened == still != set()
    assert local_ports(connection) <= others
    assert after == ends.of(topics)
    ends.close()


ASK_AND_END = """
import sys
from order_sagas.bridges.kafka import KafkaConnection
from order_sagas.bridges.kafka.topic_scan import KeptEnds

ends = KeptEnds(KafkaConnection(bootstrap_servers=sys.argv[1]), int(sys.argv[2]))
print(len(ends.of(sys.argv[3:])))
"""


def test_a_process_that_has_read_ends_can_exit(
    connection: KafkaConnection, topics: list[str]
) -> None:
    """Without closing the connections. It used to wait for the client's thread, which had ended."""
    asked = [sys.executable, "-c", ASK_AND_END, connection.servers[0], str(PARTITIONS), *topics]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)

    assert (0, str(PARTITIONS * len(topics))) == (done.returncode, done.stdout.strip()), done.stderr
