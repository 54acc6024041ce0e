"""`status` where no supervisor answers: what the database alone can tell."""

import attrs
import pytest

from actors.messages import OrderLine
from tests.support.embedded import EmbeddedSystem, an_order


@pytest.fixture
def left_behind(system, tmp_path):
    """A system that died: a saga waits for its payment, and an order for the system."""
    with EmbeddedSystem(tmp_path, settings={"payment_silent_rate": 1.0}) as died:
        died.put(an_order("waits"))
    system.put(an_order("comes", lines=(OrderLine(sku="PEN", quantity=1, unit_price=1),)))
    return system


def test_what_waits_is_told_though_nothing_runs(left_behind, run) -> None:
    """And the exit code says that nothing does."""
    said = run("status")

    assert 1 == said.exit_code
    assert "No system runs on this database" in said.stderr
    assert "1 in flight" in said.stdout
    assert "1 waiting (order-events 1)" in said.stdout
    assert "1 due, the oldest for" in said.stdout


def test_scripts_read_the_same(left_behind, run_json) -> None:
    """The deadline passed long ago, and no other is to come."""
    found = run_json("status")

    assert (None, []) == (found["pid"], found["workers"])
    assert (1, 1, {"order-events": 1}) == (
        found["sagas_in_flight"], found["records_waiting"], found["lag"],
    )  # fmt: skip
    assert (1, None) == (found["timers"]["due"], found["timers"]["next_in"])
    assert found["timers"]["late"] > 3600
    assert (0.0, 0.0) == (found["orders_per_second"], found["ended_per_second"])


def test_a_role_that_does_not_run_lags_and_is_named(system, run, run_json) -> None:
    """Two records wait for it; what the others have handled does not hide them."""
    roles = ("orchestrator", "orders", "stock", "notification")
    system.parts = attrs.evolve(
        system.parts, settings=attrs.evolve(system.parts.settings, roles=roles)
    )
    system.start()
    system.put(an_order("a"), an_order("b"))
    found, said = run_json("status"), run("status").stdout

    assert {"payment-events": 2} == found["lag"]
    assert {**dict.fromkeys(roles, 0), "payment": 2} == found["lag_by_role"]
    assert 2 == found["records_waiting"]
    assert "roles    payment 2 waiting\n" in said


def test_what_nobody_has_read_counts_for_each_role_that_reads_its_topic(system, run_json) -> None:
    """The order waits for its saga and for the order service."""
    system.log.append(system.log.outgoing("order-events", "a", b"{}"))
    waiting = {role: n for role, n in run_json("status")["lag_by_role"].items() if n}

    assert {"orchestrator": 1, "orders": 1} == waiting
