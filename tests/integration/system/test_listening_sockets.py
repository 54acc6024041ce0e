"""A system on Kafka listens on the configured addresses and its control socket only."""

import pytest

from tests.support.kafka_system import KafkaSystem, orders
from tests.support.ports import free_port
from tests.support.sockets import Listener, listeners
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]


@pytest.mark.parametrize("asked", [False, True], ids=["", "http and metrics"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_system_on_kafka_listens_only_where_configured(
    system: KafkaSystem, workers: int, asked: bool
) -> None:
    """Its database is on a server, so it has no doorbell."""
    expected: set[Listener] = set()
    args: list[object] = ["--workers", workers]
    if asked:
        for flag in ("--http", "--metrics"):
            address = f"127.0.0.1:{free_port()}"
            args += [flag, address]
            expected.add(("tcp", address))
    if workers > 1 or asked:
        place = system.directory / "logs" / "run" / "1" / "supervisor.sock"
        expected.add(("unix", str(place)))
    started = system.start(*args)
    system.load()
    system.put("order-events", *orders(20))
    system.wait_for_ends(20)
    wait_until(lambda: expected <= listeners(started.process.pid), "every process to run")

    assert expected == listeners(started.process.pid)
    assert 0 == started.stop()
