"""A worker that is frozen past its session loses its shards, and notices it before it continues."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import PARTITIONS, StartReader
from tests.integration.kafka.owners import RecordingOwner

pytestmark = [pytest.mark.kafka, pytest.mark.processes]


@pytest.fixture
def frozen(
    connection: KafkaConnection, topics: list[str], unique: str
) -> Iterator[subprocess.Popen[str]]:
    """A worker process that reads the first topic, in the test's group, with a session of 1 s."""
    module = "tests.integration.kafka.frozen_worker"
    process = subprocess.Popen(
        [sys.executable, "-m", module, connection.bootstrap_servers, topics[0], unique],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=20)


def test_a_frozen_worker_loses_its_shards_and_rejoins(
    frozen: subprocess.Popen[str],
    writer: TopicWriter,
    topics: list[str],
    start_reader: StartReader,
) -> None:
    """Another worker owns them meanwhile. After the freeze, `on_lost` is called, and it gets its
    share."""
    assert frozen.stdout is not None
    lines = iter(frozen.stdout.readline, "")
    everything = "assigned " + " ".join(str(shard) for shard in range(PARTITIONS))
    assert next(line.strip() for line in lines if line.startswith("assigned")) == everything
    frozen.send_signal(signal.SIGSTOP)
    owner = RecordingOwner()
    start_reader(owner)
    owner.wait_for_shards(PARTITIONS)
    writer.publish([Outgoing(topics[0], 0, b"k", b"v")]).wait(20)
    owner.wait_for_records(1)
    frozen.send_signal(signal.SIGCONT)
    # It may also notice that it was disconnected, before or after.
    events = (line.split()[0] for line in lines if "connected" not in line)
    told = [next(events), next(events)]
    owner.wait_for_shards(PARTITIONS // 2)

    assert told == ["lost", "assigned"]
