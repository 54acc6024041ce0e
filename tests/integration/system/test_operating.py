"""Actions of an operator on workers with Kafka and PostgreSQL."""

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


def test_many_stuck_sagas_are_resolved_at_once(make_system: MakeSystem, postgres_url: str) -> None:
    """The payment service does not run; all its steps are skipped with one reason."""
    system = make_system(postgres_url, deadline_scale=0.01)
    system.start("--roles", "orchestrator,orders,stock,notification")
    system.put("order-events", *orders(20))
    stuck = "SELECT count(*) FROM sagas WHERE status = 'NEEDS_ATTENTION'"
    wait_until(lambda: 20 == system.number(stuck), "all sagas to need attention")
    skip = ("skip", "--all", "--step", "process payment", "--why", "paid in cash", "--by", "ann")
    dry = system.run(*skip, "--dry-run", "--limit", "7", "--older-than", "0.1s")
    asked = system.run(*skip)
    system.wait_for_ends(20)

    assert (0, 0) == (dry.returncode, asked.returncode), asked.stderr
    assert "7 sagas to skip" in dry.stdout
    assert "Sent to 20 sagas" in asked.stdout
    assert {"CANCELLED": 20} == system.statuses()
    (saga,) = system.json_of("show", "o-0")["sagas"]
    assert "skip by ann: paid in cash" in [entry["note"] for entry in saga["history"]]


def test_a_pause_holds_for_all_workers(system: KafkaSystem) -> None:
    """Also after one is killed: its shards and their deferred messages move to the others."""
    system.load()
    first, second = system.start(), system.start()
    kept = "SELECT count(*) FROM parked WHERE target = :target"
    system.run("pause", "stock", "--why", "stocktaking", "--by", "ann")
    wait_until(lambda: len(system.log("service.paused")) == 2, "both workers to hear of it")
    system.put("order-events", *orders(30))
    wait_until(lambda: 30 == system.number(kept, target="stock"), "all reservations to be kept")
    first.process.kill()
    system.run("pause", "intake", "--why", "enough")
    wait_until(lambda: 3 <= len(system.log("service.paused")), "the other to hear of it")
    system.put("order-events", *orders(20, "late"))
    wait_until(lambda: 40 == system.number(kept, target="intake"), "all orders to be kept")
    system.run("unpause", "stock")
    system.wait_for_ends(30)
    system.run("unpause", "intake")
    system.wait_for_ends(50)

    assert {"COMPLETED": 50} == system.statuses()
    assert 0 == system.number("SELECT count(*) FROM parked")
    assert [] == system.violations()
    assert 0 == second.stop()
