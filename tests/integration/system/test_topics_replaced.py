"""Topics that are created again, or lose records, while orders are in flight."""

import json
import threading

import pytest
from kafka import KafkaAdminClient
from kafka.structs import TopicPartition

from order_sagas.system.order_app import APP
from tests.support.kafka_system import KafkaSystem, fresh_topics, orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

BEFORE, AFTER = 40, 200


def lines_of(count: int, prefix: str) -> str:
    """Return orders as a file of JSON lines."""
    pen = [{"sku": "PEN", "quantity": 1, "unitPrice": 150}]
    fields = {"customerId": "c-1", "currency": "EUR", "lines": pen}
    return "".join(
        json.dumps({"orderId": f"{prefix}-{number}", **fields}) + "\n" for number in range(count)
    )


@pytest.mark.slow
def test_recreated_topics_are_not_read_until_they_are_accepted(
    system: KafkaSystem,
) -> None:
    """Neither those that were replaced while no worker ran, nor under a running worker."""
    with system.start(workers=2):
        system.load()
        system.put("order-events", *orders(BEFORE))
        system.wait_for_ends(BEFORE)
        fresh_topics(system.connection.bootstrap_servers)
        wait_until(lambda: system.log("kafka.shards_stopped"), "the worker to stop its shards")
        # More records than before, so that the stored offsets are within the topic again.
        system.put("order-events", *orders(AFTER, "new"))
        again = threading.Event()
        assert not again.wait(2)
        assert BEFORE == system.number("SELECT count(*) FROM orders")
    with system.start(workers=2):
        assert not again.wait(2)
        assert BEFORE == system.number("SELECT count(*) FROM orders")
        status = system.json_of("status")
        checked = system.run("topics", "check", "--json")
        topics = sorted({problem["topic"] for problem in json.loads(checked.stdout)["problems"]})
        accepted = system.run("topics", "accept-reset", *topics, "--yes")
        system.load()
        wait_until(lambda: system.ended() >= BEFORE + AFTER, "the new orders to end")

    assert 1 == checked.returncode
    assert sorted({*APP.topics} - {"dead-letters"}) == topics
    assert 0 == accepted.returncode, accepted.stderr
    assert "was created again" in status["lastError"]
    assert any("order-events" in problem for problem in status["topicProblems"])
    assert 0 == system.run("topics", "check").returncode
    assert [] == system.read("dead-letters")


def test_orders_whose_start_was_deleted_unread_are_found_and_can_be_submitted_again(
    system: KafkaSystem,
) -> None:
    """By retention, before any worker ran; the remaining records are not reported as lost."""
    system.run("submit", "-", "--format", "jsonl", stdin=lines_of(20, "gone"))
    ends = {TopicPartition("order-events", r.partition): 0 for r in system.read("order-events")}
    for record in system.read("order-events"):
        place = TopicPartition("order-events", record.partition)
        ends[place] = max(ends[place], record.offset + 1)
    admin = KafkaAdminClient(**system.connection.client_settings())
    admin.delete_records(ends)
    admin.close()
    system.run("submit", "-", "--format", "jsonl", stdin=lines_of(5, "there"))
    assert [] == system.json_of("audit")["checks"][-1]["violations"]  # no worker has read yet
    system.load()
    with system.start(workers=2):
        system.wait_for_ends(5)
        wait_until(lambda: 20 == len(system.json_of("status")["lostOrders"]), "all to be found")
        audit = system.run("audit", "--json")
        again = system.run("submit", "-", "--format", "jsonl", "--json", stdin=lines_of(20, "gone"))
        system.wait_for_ends(25)
        after = system.json_of("status")["lostOrders"]

    begun = json.loads(audit.stdout)["checks"][-1]
    assert 1 == audit.returncode
    assert ("begun", 20) == (begun["name"], len(begun["violations"]))
    assert 20 == json.loads(again.stdout)["accepted"]
    assert [] == after
    assert {"COMPLETED": 25} == system.statuses()
    assert [] == system.violations()
