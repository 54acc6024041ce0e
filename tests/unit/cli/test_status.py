"""`status` without a supervisor: the information in the database."""

import re

import attrs
import pytest

from order_sagas.actors.messages import OrderLine
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.system.cli.trouble import OpenLetters, in_short, stopped
from tests.support.embedded import EmbeddedSystem, an_order

NOW = 1700000000.0


@pytest.fixture
def left_behind(system, tmp_path):
    """A system that died: a saga waits for its payment, and an order for the system."""
    with EmbeddedSystem(tmp_path, settings={"payment_silent_rate": 1.0}) as died:
        died.put(an_order("waits"))
    system.put(an_order("comes", lines=(OrderLine(sku="PEN", quantity=1, unit_price=1),)))
    return system


def test_waiting_work_is_shown_although_nothing_runs(left_behind, run) -> None:
    """The exit code says that no system runs."""
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
        found["sagasInFlight"], found["recordsWaiting"], found["lag"],
    )  # fmt: skip
    assert (1, None) == (found["timers"]["due"], found["timers"]["nextIn"])
    assert found["timers"]["late"] > 3600
    assert (0.0, 0.0) == (found["ordersPerSecond"], found["endedPerSecond"])


def test_a_role_that_does_not_run_lags_and_is_named(system, run, run_json) -> None:
    """Two records wait for it, by the name of its service, although other roles handled them."""
    roles = ("orchestrator", "orders", "stock", "notification")
    system.parts = attrs.evolve(
        system.parts, settings=attrs.evolve(system.parts.settings, roles=roles)
    )
    system.start()
    system.put(an_order("a"), an_order("b"))
    found, said = run_json("status"), run("status").stdout

    assert {"payment-events": 2} == found["lag"]
    services = ("orchestrator", "orders", "stock", "notifications")
    assert {**dict.fromkeys(services, 0), "payments": 2} == found["lagByRole"]
    assert 2 == found["recordsWaiting"]
    assert "roles    payments 2 waiting\n" in said


def test_an_unread_record_counts_for_each_role_of_its_topic(system, run_json) -> None:
    """The order waits for its saga and for the order service."""
    system.log.append(system.log.outgoing("order-events", "a", b"{}"))
    waiting = {role: n for role, n in run_json("status")["lagByRole"].items() if n}

    assert {"orchestrator": 1, "orders": 1} == waiting


class NeverRefunds(SimulatedGateway):
    """A provider that approves charges, and does not answer refunds."""

    def refund(self, refund):
        return NoAnswer()


def test_problems_are_listed_first(tmp_path, system, run, run_json) -> None:
    """Sagas that need attention, open dead letters and pauses."""
    with EmbeddedSystem(tmp_path, gateway=NeverRefunds()) as system:
        system.put(an_order("a"), an_order("b"))
        system.advance(hours(5))
        for value in (b"nonsense", b"more"):
            system.log.append(system.log.outgoing("order-events", "x", value))
        system.run()
    (gone, _) = run_json("dead-letters", "list")
    run("dead-letters", "discard", gone["number"], "--why", "a test")
    run("pause", "stock", "--why", "counting")
    found, shown = run_json("status"), run("status").stdout
    first = shown.splitlines()[0]
    [group] = found["needsAttention"]["groups"]
    cause = "refund, outcome unknown: the provider gave no answer"

    assert (2, "out_of_stock", cause) == (group["count"], group["code"], group["cause"])
    assert f"2 x place-order, undo of process payment: {cause}, since" in " ".join(shown.split())
    assert (2, "2023-11-14T22:13:20.000Z") == (
        found["needsAttention"]["sagas"], found["needsAttention"]["oldest"],
    )  # fmt: skip
    assert 1 == found["deadLetters"]["open"]
    assert re.fullmatch(
        r"2 need attention, oldest [\d,]+ d; 1 dead letter; stock paused since \d\d:\d\d UTC", first
    )


def test_work_that_waits_for_a_system_is_a_problem(system, run) -> None:
    """It is listed before problems that need a person."""
    system.start()
    system.put(an_order("a"))
    system.advance(hours(5))
    system.stop()
    submitted = run(
        "submit", "-", "--format", "jsonl",
        stdin='{"orderId": "b", "customerId": "c", "currency": "EUR", "lines": []}',
    )  # fmt: skip
    run("pause", "stock", "--why", "counting")
    first = run("status").stdout.splitlines()[0]

    assert 0 == submitted.exit_code
    assert first.startswith("no system runs: 1 record waits; stock paused since ")


@pytest.mark.parametrize(
    ("in_flight", "waiting", "told"),
    [
        (0, 0, ""),
        (1, 0, "no system runs: 1 saga waits"),
        (3, 0, "no system runs: 3 sagas wait"),
        (3, 2000, "no system runs: 2,000 records wait"),
    ],
)
def test_a_system_that_has_nothing_to_do_may_be_stopped(in_flight, waiting, told) -> None:
    """Sagas that need attention do not count: a system cannot continue them."""
    assert told == stopped(in_flight, waiting)


def test_no_problem_is_reported_too(system, run) -> None:
    """If there is a database."""
    system.start()

    assert "Nothing needs attention." == run("status").stdout.splitlines()[0]


def test_deadlines_of_a_paused_service_are_put_off(left_behind, run, run_json) -> None:
    """They are not due, and the status shows their number."""
    run("pause", "payments", "--why", "maintenance")
    timers = run_json("status")["timers"]

    assert (0, 0.0, None, 1) == (
        timers["due"], timers["late"], timers["nextIn"], timers["putOff"],
    )  # fmt: skip
    assert "0 due; 1 put off, while a service is paused; no other" in run("status").stdout


@pytest.mark.parametrize(
    ("since", "letters", "lost", "told"),
    [
        (NOW - 5, None, (), "1 needs attention, oldest 5 s; dead letters unknown: Kafka does not "
         "answer"),
        (NOW - 850, OpenLetters(0, None), (), "1 needs attention, oldest 14 min"),
        (NOW - 9000, OpenLetters(2, None), ("A",), "1 needs attention, oldest 2 h; 2 dead letters; "
         "1 order lost by Kafka"),
    ],
)  # fmt: skip
def test_problems_fit_on_one_line(since, letters, lost, told):
    """Ages are in their largest unit."""
    assert told == in_short(NOW, 1, since, letters, (), (), lost)


def test_a_pause_of_another_day_is_shown_with_its_date() -> None:
    """A pause of today is shown with its time only."""
    pauses = [{"name": "stock", "since": NOW - 90000}, {"name": "payment", "since": NOW - 60}]

    assert (
        "stock paused since 2023-11-13 21:13 UTC; payment paused since 22:12 UTC; 1 problem of "
        "topics"
    ) == in_short(NOW, 0, None, OpenLetters(0, None), pauses, ("x",), ())
