"""Brokers with other settings, and topics and groups that are changed while the system runs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from order_sagas.bridges.kafka.topics import create_topics
from order_sagas.system.order_app import APP
from tests.support.kafka_system import PARTITIONS, KafkaSystem, orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("own servers"),
]

USUAL_LIMIT = "1048588"
"""Kafka's default of message.max.bytes."""


@contextmanager
def admin_of(system: KafkaSystem) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(**system.connection.client_settings())
    try:
        yield admin
    finally:
        admin.close()


def configure(system: KafkaSystem, kind: str, name: str, setting: str, value: str) -> None:
    """Change a setting of a topic or a broker."""
    with admin_of(system) as admin:
        admin.alter_configs([ConfigResource(kind, name, {setting: value})])


@pytest.fixture
def small_broker(system: KafkaSystem) -> Iterator[None]:
    """A broker whose topics accept batches of 3,000 bytes by default."""
    configure(system, "BROKER", "1", "message.max.bytes", "3000")
    yield
    configure(system, "BROKER", "1", "message.max.bytes", USUAL_LIMIT)


def a_line(order_id: str, lines: int) -> str:
    """Return an order with a number of lines, as a line of a file."""
    line = {"sku": "PEN", "quantity": 1, "unitPrice": 100}
    order = {"orderId": order_id, "customerId": "c", "currency": "EUR", "lines": [line] * lines}
    return json.dumps(order) + "\n"


@pytest.mark.usefixtures("small_broker")
def test_an_order_that_the_broker_rejects_is_a_dead_letter(
    system: KafkaSystem,
) -> None:
    """Other orders continue. After the limit is raised, which the worker notices, it is replayed
    and ends."""
    system.start()
    system.load()
    text = a_line("small-1", 1) + a_line("large", 200) + a_line("small-2", 1)
    submitted = system.run("submit", "-", "--format", "jsonl", stdin=text)
    system.wait_for_ends(2)
    letters = wait_until(lambda: system.json_of("dead-letters", "list"), "the letter")
    configure(system, "BROKER", "1", "message.max.bytes", USUAL_LIMIT)
    replayed = system.run("dead-letters", "replay", letters[0]["number"], "--yes")
    system.wait_for_ends(3)

    assert "has not acknowledged 1 record" in submitted.stderr
    assert ["order-events"] == [letter["topic"] for letter in letters]
    assert 0 == replayed.returncode, replayed.stderr
    assert {"COMPLETED": 3} == system.statuses()
    assert [] == system.violations()


def test_compaction_switched_on_is_logged_and_refused_at_the_next_start(
    system: KafkaSystem,
) -> None:
    """Running workers continue, because records are deleted only later."""
    with system.start(workers=2) as worker:
        system.load()
        system.put("order-events", *orders(20))
        system.wait_for_ends(20)
        configure(system, "TOPIC", "payment-events", "cleanup.policy", "compact")
        system.put("order-events", *orders(20, "later"))
        system.wait_for_ends(40)
        checked, status = system.run("topics", "check", "--json"), system.json_of("status")
        assert 0 == worker.stop()
    refused = system.begin()
    code = refused.process.wait(60)
    configure(system, "TOPIC", "payment-events", "cleanup.policy", "delete")
    again = system.run("topics", "check")

    assert (1, ["payment-events"]) == (checked.returncode, json.loads(checked.stdout)["compacted"])
    assert ["payment-events is compacted"] == [
        problem.partition(",")[0] for problem in status["topicProblems"]
    ]
    assert 1 == code
    assert "payment-events: cleanup.policy is compact" in refused.printed
    assert 0 == again.returncode
    assert {"COMPLETED": 40} == system.statuses()


def test_a_deleted_group_changes_nothing(system: KafkaSystem) -> None:
    """Kafka deletes no group with members. The offsets are in the database."""
    with system.start() as worker, admin_of(system) as admin:
        system.load(30)
        system.put("order-events", *orders(20))
        system.wait_for_ends(20)
        under_workers = admin.delete_groups(["order-sagas"])
        assert 0 == worker.stop()
        deleted = admin.delete_groups(["order-sagas"])
    with system.start() as worker:
        system.put("order-events", *orders(20, "later"))
        system.wait_for_ends(40)
        assert 0 == worker.stop()

    assert {"order-sagas": "NonEmptyGroupError"} == under_workers
    assert {"order-sagas": "OK"} == deleted
    assert {"COMPLETED": 30, "CANCELLED": 10} == system.statuses()
    assert 20 == len(system.log("saga.started")) - 20
    assert [] == system.violations()


def test_a_deleted_topic_is_an_outage_until_the_new_one_is_accepted(
    system: KafkaSystem,
) -> None:
    """Its orders wait, and commands that were deleted with it are sent again."""
    system.env["ORDER_SAGAS_DEADLINE_SCALE"] = "0.3"
    with system.start(workers=2) as worker:
        system.load()
        system.put("order-events", *orders(20))
        system.wait_for_ends(20)
        with admin_of(system) as admin:
            admin.delete_topics(["payment-events"])
        noticed = wait_until(lambda: system.log("kafka.disconnected"), "the worker to notice")
        system.put("order-events", *orders(20, "later"))
        status, checked = system.json_of("status"), system.run("topics", "check")
        create_topics(system.connection, APP.topics, partitions=PARTITIONS)
        wait_until(lambda: system.log("kafka.shards_stopped"), "the worker to stop its shards")
        accepted = system.run("topics", "accept-reset", "payment-events", "--yes")
        system.wait_for_ends(40, 180)
        assert 0 == worker.stop()

    missing = "Kafka has no topic payment-events"
    assert {f"{missing}."} == {line["reason"] for line in noticed}
    assert ([missing], None) == (status["topicProblems"], status["lag"])
    assert 1 == checked.returncode
    assert f"Error: {missing}. Try: order-sagas topics create" == checked.stderr.strip()
    assert 0 == accepted.returncode, accepted.stderr
    assert {"COMPLETED": 40} == system.statuses()
    assert [] == system.violations()
