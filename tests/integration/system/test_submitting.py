"""An accepted order reaches Kafka, even if its submitter or a worker dies."""

from typing import Any

import pytest

from order_sagas.actors.messages import OrderLine
from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.logs.kafka_outbox import OutboxLog
from order_sagas.system.order_app import APP
from tests.support.kafka_system import PARTITIONS, KafkaSystem, orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]


class DyingLog(OutboxLog):
    """A log whose process dies after its commit, before it publishes."""

    def _publish(self, rows: dict[int, Any]) -> None:
        """Publish nothing."""


def take_and_die(system: KafkaSystem) -> list[Verdict]:
    """Accept three orders, and die between the commit and the publication."""
    log = DyingLog(system.database, PARTITIONS, system.connection, APP.topics, "order-sagas")
    with log:
        return Intake(log).take(orders(3))


def test_the_next_submitter_publishes_the_rest_of_another(system: KafkaSystem) -> None:
    """Independent of what it submits itself."""
    verdicts = take_and_die(system)
    before = system.read("order-events")
    system.run("submit", "-", "--format", "jsonl", stdin="")

    assert [Verdict.ACCEPTED] * 3 == verdicts
    assert [] == before
    assert 3 == len(system.read("order-events"))
    assert 0 == system.number("SELECT count(*) FROM outbox")


@pytest.mark.parametrize("running", [False, True], ids=["that starts", "that runs"])
def test_a_worker_publishes_the_rest_of_a_submitter(system: KafkaSystem, running: bool) -> None:
    """A worker that takes over the shards does so at once, one that has them a little later."""
    if running:
        worker = system.start()
        wait_until(lambda: "kafka.shards_assigned" in worker.printed, "it to have the shards")
    system.load()
    take_and_die(system)
    if not running:
        system.start()
    system.wait_for_ends(3)

    assert {"COMPLETED": 3} == system.statuses()


def test_an_order_too_large_for_its_topic_is_a_dead_letter_and_delays_no_other(
    system: KafkaSystem,
) -> None:
    """The next submitter does not publish the acknowledged ones again."""
    system.limit("order-events", 3000)
    lines = tuple(OrderLine(sku=f"SKU-{n}", quantity=1, unit_price=1) for n in range(100))
    with OutboxLog(
        system.database, PARTITIONS, system.connection, APP.topics, "order-sagas"
    ) as log:
        verdicts = Intake(log).take([*orders(3), *orders(1, "large", lines=lines)])
        left = log.left
    kept = system.number("SELECT count(*) FROM outbox")
    system.load()
    system.start()
    system.wait_for_ends(3)
    wait_until(lambda: 0 == system.number("SELECT count(*) FROM outbox"), "the outbox to be empty")
    (letter,) = system.read("dead-letters")

    assert [Verdict.ACCEPTED] * 4 == verdicts
    assert (1, 1) == (left, kept)
    assert b"large-0" == letter.key
    assert 100 == (letter.value or b"").count(b'"sku"')
    assert 3 == len(system.read("order-events")) - 3  # including the records that end the orders
    assert {"COMPLETED": 3} == system.statuses()
