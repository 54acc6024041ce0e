"""Sagas with each feature of definitions continue after a crash at any commit."""

from collections.abc import Callable
from typing import Any

import pytest

from order_sagas import SIGNALS, Saga, hours, minutes
from order_sagas.actors.messages import CancelSaga
from order_sagas.actors.topics import OPERATORS
from order_sagas.system.harness import CANCELLED, COMPLETED, Crash, Harness
from tests.support.trip_services import FULL, NOBODY, TRIP_SERVICES, Flight, Plan, Room
from tests.support.trips import (
    AT_ONCE,
    CAREFUL,
    CONDITIONAL,
    IN_ORDER,
    LIMITED,
    PATIENT,
    READING,
    TripApproved,
    TripRejected,
    TripWanted,
)

Scenario = Callable[[Harness, str], None]


def want(system: Harness, trip: str, *travellers: str, nights: int = 1) -> None:
    """Start a trip."""
    start = TripWanted(order_id=trip, travellers=travellers, nights=nights)
    system.publish("flight-events", start)
    system.advance(minutes(1))  # also over a crash before it is stored


def ends(system: Harness, trip: str, status, flight: str, room: str | None = None) -> None:
    """Check the status of the saga, and the state of flight and room."""
    system.run_until_ended()
    system.expect(trip, "trip").to_be(status)
    booked, rented = system.books.of(Flight, trip), system.books.of(Room, trip)
    assert (flight, room) == (booked and booked.status, rented and rented.status)


def reads_replies(system: Harness, trip: str) -> None:
    want(system, trip)
    ends(system, trip, COMPLETED, "BOOKED", "BOOKED")
    room = system.books.of(Room, trip)
    assert room
    assert f"F-{trip}" == room.flight


def is_refused(system: Harness, trip: str) -> None:
    want(system, FULL + trip)
    ends(system, FULL + trip, CANCELLED, "CANCELLED")


def skips(system: Harness, trip: str) -> None:
    want(system, trip, nights=0)
    ends(system, trip, COMPLETED, "BOOKED")


def waits(system: Harness, trip: str) -> None:
    want(system, trip)
    system.advance(hours(30))
    system.publish(SIGNALS.topic, TripApproved(order_id=trip))
    ends(system, trip, COMPLETED, "BOOKED")


def waits_for_a_refusal(system: Harness, trip: str) -> None:
    want(system, trip)
    system.advance(hours(1))
    system.publish(SIGNALS.topic, TripRejected(order_id=trip))
    ends(system, trip, CANCELLED, "CANCELLED")


def waits_in_vain(system: Harness, trip: str) -> None:
    want(system, trip)
    ends(system, trip, CANCELLED, "CANCELLED")


def has_items(system: Harness, trip: str) -> None:
    want(system, trip, "ann", "bob", "cy")
    system.run_until_ended()
    plan = system.books.of(Plan, trip)
    assert plan
    system.expect(trip, "trip").to_be(COMPLETED)
    assert (["ann", "bob", "cy"], ()) == (sorted(plan.taken), plan.freed)


def undoes_items(system: Harness, trip: str) -> None:
    want(system, trip, "ann", NOBODY, "cy")
    system.run_until_ended()
    plan = system.books.of(Plan, trip)
    assert plan
    system.expect(trip, "trip").to_be(CANCELLED)
    assert () == plan.taken


def asks(system: Harness, trip: str) -> None:
    system.service("flights").loses_replies(minutes(0.5))
    want(system, trip)
    ends(system, trip, COMPLETED, "BOOKED")


def is_limited(system: Harness, trip: str) -> None:
    system.service("flights").goes_silent(hours(6))
    want(system, trip)
    ends(system, trip, CANCELLED, "CANCELLED")


def is_cancelled(system: Harness, trip: str) -> None:
    want(system, trip)
    system.advance(hours(1))
    system.publish(OPERATORS, CancelSaga(order_id=trip, by="ann", why="ill"))
    ends(system, trip, CANCELLED, "CANCELLED")


SCENARIOS: list[tuple[Scenario, Saga[Any]]] = [
    (reads_replies, READING),
    (is_refused, READING),
    (skips, CONDITIONAL),
    (waits, PATIENT),
    (waits_for_a_refusal, PATIENT),
    (waits_in_vain, PATIENT),
    (is_cancelled, PATIENT),
    (has_items, AT_ONCE),
    (undoes_items, AT_ONCE),
    (has_items, IN_ORDER),
    (undoes_items, IN_ORDER),
    (asks, CAREFUL),
    (is_limited, LIMITED),
]


LONG = (waits, waits_in_vain)
"""Scenarios of days, in which a simulated Kafka would do nothing but heartbeats."""


@pytest.mark.parametrize(
    ("scenario", "saga", "log"),
    [
        pytest.param(scenario, saga, log, id=f"{saga.name}-{scenario.__name__}-{log}-{n}")
        for n, (scenario, saga) in enumerate(SCENARIOS)
        for log in ("embedded", "topics")
        if log == "embedded" or scenario not in LONG
    ],
)
def test_a_saga_ends_correctly_after_a_crash_at_any_commit(scenario, saga, log) -> None:
    """Before the commit or after it, in turn; no rule of the audit is broken at any commit."""
    for nth in range(1, 9):
        point = "before commit" if nth % 2 == (log == "topics") else "after commit"
        fault = Crash(point, nth=nth, down=2.0)
        with Harness(faults=[fault], sagas=[saga], services=TRIP_SERVICES, log=log) as system:
            lives = system.lives
            scenario(system, "T-1")
            system.expect_no_violations()
            if system.lives == lives:
                return


def test_a_trace_describes_every_event() -> None:
    """Each event that a definition can cause."""
    with Harness(sagas=[PATIENT], services=TRIP_SERVICES) as system:
        waits(system, "T-1")
        story = system.story("T-1")

    assert "waits for 30 min " in story
    assert "reminder sent" in story
    with Harness(sagas=[CAREFUL], services=TRIP_SERVICES) as system:
        asks(system, "T-2")
        story = system.story("T-2")
    assert "no answer after 1 min, asked what became of it" in story
    with Harness(sagas=[CONDITIONAL], services=TRIP_SERVICES) as system:
        skips(system, "T-3")
        story = system.story("T-3")
    assert "skipped: its condition does not hold" in story
