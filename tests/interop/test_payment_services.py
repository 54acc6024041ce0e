"""The payment service in Node of `examples/node`, in the place of ours."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_sagas.actors.messages import OrderLine
from tests.support.cli import ROOT
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import KafkaSystem, fresh_topics, orders
from tests.support.required import skip_or_fail
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.node,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.slow,
]

DEAR = (OrderLine(sku="PEN", quantity=1000, unit_price=150),)


class Payments:
    """The service, a process of its own; its ledger outlives it."""

    def __init__(self, folder: Path, servers: str) -> None:
        self._folder = folder
        self._ledger = folder / "payments.jsonl"
        self._environment = {**os.environ, "KAFKA": servers, "LEDGER": str(self._ledger)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it runs."""
        output = self._folder / "output.txt"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                ["node", "payments.js"], cwd=self._folder, env=self._environment, stdout=file,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_until(lambda: "are running" in output.read_text(), "the service to run")

    def kill(self) -> None:
        """Kill it; it can be started again."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def acts(self) -> list[tuple[str, str]]:
        """Return order and status of everything that it did, oldest first."""
        if not self._ledger.exists():
            return []
        lines = [json.loads(line) for line in self._ledger.read_text().splitlines()]
        return [(line["orderId"], line["status"]) for line in lines]


@pytest.fixture
def payments(own_kafka: KafkaBroker, tmp_path: Path) -> Iterator[Payments]:
    """The service, with its libraries from npm, not started yet."""
    if not (shutil.which("node") and shutil.which("npm")):
        skip_or_fail("REQUIRE_NODE", "Not found: Node 18 or newer, with npm.")
    folder = tmp_path / "node"
    shutil.copytree(ROOT / "examples" / "node", folder)
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)
    fresh_topics(own_kafka.bootstrap_servers)
    service = Payments(folder, own_kafka.bootstrap_servers)
    yield service
    service.kill()


def test_a_payment_service_in_node_takes_the_place_of_ours(
    payments: Payments, own_kafka: KafkaBroker, postgres_url: str, tmp_path: Path
) -> None:
    """It is killed on the way; every order ends, and is charged once, or not at all."""
    system = KafkaSystem(tmp_path, own_kafka.bootstrap_servers, postgres_url)
    try:
        system.start("--roles", "orchestrator,orders,stock,notification")
        payments.start()
        system.load(150)
        system.put("order-events", *orders(200), *orders(20, "dear", lines=DEAR))
        wait_until(lambda: len(payments.acts()) > 60, "payments to be made")
        payments.kill()
        payments.start()
        system.wait_for_ends(220)
        statuses = system.statuses()
        letters, violations = system.read("dead-letters"), system.violations()
    finally:
        system.close()

    acts = Counter(payments.acts())
    assert {1} == {*acts.values()}
    assert {"COMPLETED": 150, "CANCELLED": 70} == statuses
    assert {"PAYMENT_COMPLETED": 200, "PAYMENT_FAILED": 20, "PAYMENT_ROLLED_BACK": 50} == (
        Counter(status for _, status in acts)
    )
    assert [] == letters
    assert [] == violations
