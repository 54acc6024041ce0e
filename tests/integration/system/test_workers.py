"""Workers start, stop, die and freeze: their shards move, with sagas, deadlines and stock."""

import signal

import pytest

from tests.integration.system.conftest import MakeSystem
from tests.support.kafka_system import KafkaSystem, orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

IN_FLIGHT = "SELECT count(*) FROM sagas WHERE ended_at IS NULL"
ROLES = ("orchestrator", "orders", "payment", "stock", "notification")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_shards_move_with_sagas_deadlines_and_stock(
    make_system: MakeSystem, postgres_url: str, how: signal.Signals
) -> None:
    """A second worker gets half of them, and the rest when the first is gone.

    Every payment is silent at first: only deadlines that were restored let the sagas go on.
    """
    system = make_system(postgres_url, payment_silent_rate=1.0, deadline_scale=0.5)
    first = system.start()
    system.load()
    system.put("order-events", *orders(100))
    wait_until(lambda: 100 == system.number(IN_FLIGHT), "all sagas to wait")
    system.start()
    wait_until(lambda: system.log("sagas.restored"), "sagas to move to the second worker")
    first.process.send_signal(how)
    first.process.wait(60)
    system.wait_for_ends(100)

    restored = sum(line["count"] for line in system.log("sagas.restored"))
    assert {"COMPLETED": 100} == system.statuses()
    assert 100 == restored
    assert [] == system.violations()


def test_a_frozen_worker_commits_nothing_more_and_rejoins(system: KafkaSystem) -> None:
    """It is frozen past its session during its work, until another worker has its shards."""
    frozen = system.start()
    system.start()
    system.load()
    system.put("order-events", *orders(1500))
    wait_until(lambda: system.ended() > 50, "work to be under way")
    frozen.process.send_signal(signal.SIGSTOP)
    system.wait_for_ends(1500)
    assert 1500 == system.ended()
    before = frozen.printed.count("kafka.shards_assigned")
    frozen.process.send_signal(signal.SIGCONT)
    # It notices the loss from Kafka or from the database, whichever answers first.
    wait_until(lambda: frozen.printed.count("kafka.shards_assigned") > before, "it to rejoin")
    system.put("order-events", *orders(300, "later"))
    system.wait_for_ends(1800)

    assert [] == system.violations()
    assert 1800 == system.statuses()["COMPLETED"]
    assert [0, 0] == [worker.stop() for worker in system.workers]
    assert 0 == system.number("SELECT count(*) FROM outbox")


def test_each_service_can_run_in_a_separate_process(system: KafkaSystem) -> None:
    """Each is a separate group with its own offsets; an unreadable record is reported once."""
    for role in ROLES:
        system.start("--roles", role)
    system.load(90)
    system.put("order-events", b"nonsense", key=b"x")
    system.put("order-events", *orders(100))
    system.wait_for_ends(100)
    letters = system.json_of("dead-letters", "list")

    assert {"COMPLETED": 90, "CANCELLED": 10} == system.statuses()
    assert ["nonsense"] == [letter["value"] for letter in letters]
    assert {f"order-sagas.{role}" for role in ROLES} == {
        consumer for (consumer,) in system.rows("SELECT DISTINCT consumer FROM offsets")
    }
    assert [] == system.violations()
    assert [0] * 5 == [worker.stop() for worker in system.workers]
    assert 0 == system.number("SELECT count(*) FROM outbox")


@pytest.mark.parametrize("point", ["after commit", "after publish"])
def test_committed_records_of_a_dead_worker_are_published_by_the_next(
    make_system: MakeSystem, postgres_url: str, point: str
) -> None:
    """It dies before Kafka has the records, or before their publication is stored."""
    system = make_system(postgres_url, batch_size=20)
    dying = system.start_special("--die", point, "9", wait=False)
    system.load()
    system.put("order-events", *orders(200))
    assert -signal.SIGKILL == dying.process.wait(60)
    left = system.number("SELECT count(*) FROM outbox")
    last = system.start()
    system.wait_for_ends(200)

    assert left > 0
    assert {"COMPLETED": 200} == system.statuses()
    assert [] == system.violations()
    assert 0 == last.stop()
    assert 0 == system.number("SELECT count(*) FROM outbox")
