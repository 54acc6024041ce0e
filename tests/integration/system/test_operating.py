"""What an operator does to workers on Kafka and PostgreSQL."""

import pytest

from tests.integration.system.conftest import MakeSystem
from tests.support.kafka_system import orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]


def test_many_stuck_sagas_are_put_right_at_once(make_system: MakeSystem, postgres_url: str) -> None:
    """Nobody runs the payment service; all its steps are skipped, for one reason."""
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
    assert "7 saga(s) to skip" in dry.stdout
    assert "Asked 20 saga(s)" in asked.stdout
    assert {"CANCELLED": 20} == system.statuses()
    assert "skip by ann: paid in cash" in system.run("show", "o-0").stdout
