"""A trip on virtual time: outcomes, faults, and random simulations."""

from typing import Any

import attrs
import pytest

from examples.travel.app import APP
from examples.travel.messages import SettlementDue, TripApproved, TripRejected, TripRequested
from examples.travel.services import Bank, Car, Flight, Hotel, Policy, Ticket
from order_sagas import days, hours, minutes
from order_sagas.system.harness import (
    CANCELLED,
    COMPLETED,
    CallFails,
    Fault,
    Harness,
    LosesReplies,
)
from order_sagas.system.harness.campaign import run_seed

NAME = "examples.travel.app:APP"
BOOKINGS = (Flight, Hotel, Car, Policy)


@pytest.fixture
def bank() -> Bank:
    """The bank; it outlives a crash of the worker, as a real one does."""
    return Bank()


def a_system(bank: Bank, *faults: Fault) -> Harness:
    """The app on virtual time."""
    app = attrs.evolve(APP, simulated_clients={"cards": lambda settings: bank})
    return Harness(app=app, faults=faults)


def book(system: Harness, **trip: Any) -> None:
    """Start a trip, and let what needs no person happen."""
    system.start(TripRequested(order_id="T-1", **trip))
    system.advance(minutes(10))


def places(system: Harness) -> list[int]:
    """What is booked in flight, hotel, car and policy."""
    found: list[Any] = [system.books.of(kind, "T-1") for kind in BOOKINGS]
    return [each.places if each else 0 for each in found]


def test_a_trip_is_booked_paid_insured_and_gets_its_ticket(bank: Bank) -> None:
    """The card is charged with the price of all that is booked."""
    with a_system(bank) as system:
        book(system, travellers=1, nights=2, car=True, insured=True, card="4242")

        system.expect("T-1", "book-trip").to_be(COMPLETED)
        system.expect_no_violations()
        assert places(system) == [1, 2, 1, 1]
        assert system.books.of(Ticket, "T-1")
    assert bank.charges == {"T-1/do": 20_000 + 2 * 9_000 + 15_000}
    assert bank.refunds == {}


def test_what_is_not_wanted_is_not_booked(bank: Bank) -> None:
    """Steps are skipped by their conditions."""
    with a_system(bank) as system:
        book(system, travellers=2)

        system.expect("T-1", "book-trip").to_be(COMPLETED)
        assert places(system) == [2, 0, 0, 0]
    assert [*bank.charges.values()] == [40_000]


@pytest.mark.parametrize(
    ("answer", "status", "charges"), [(TripApproved, COMPLETED, 1), (TripRejected, CANCELLED, 0)]
)
def test_an_expensive_trip_waits_for_a_person(
    bank: Bank, answer: Any, status: Any, charges: int
) -> None:
    """Nothing is paid before the approval."""
    with a_system(bank) as system:
        book(system, travellers=4, nights=1)
        assert bank.charges == {}
        assert system.in_flight() == ["T-1"]
        system.signal(answer(order_id="T-1"))
        system.advance(minutes(10))

        system.expect("T-1", "book-trip").to_be(status)
        assert any(places(system)) == (status is COMPLETED)
    assert len(bank.charges) == charges


def test_an_approval_that_never_comes_cancels_the_trip(bank: Bank) -> None:
    """After twelve hours."""
    with a_system(bank) as system:
        book(system, travellers=4, nights=1)
        system.advance(hours(13))

        system.expect("T-1", "book-trip").to_be(CANCELLED).because("timed_out")
        assert places(system) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("trip", "code"),
    [
        ({"travellers": 5}, "full"),
        ({"travellers": 1, "card": "declined"}, "declined"),
        ({"travellers": 4, "nights": 1, "car": True, "insured": True}, "full"),
    ],
)
def test_a_refusal_undoes_all_that_was_booked(bank: Bank, trip: Any, code: str) -> None:
    """Of a booking, of the bank, and of the insurer in the child saga."""
    with a_system(bank) as system:
        book(system, **trip)
        system.signal(TripApproved(order_id="T-1"))
        system.advance(minutes(10))

        system.expect("T-1", "book-trip").to_be(CANCELLED).because(code)
        assert places(system) == [0, 0, 0, 0]
    assert len(bank.charges) == len(bank.refunds)


@pytest.mark.parametrize("how", ["before", "after", "lost"])
def test_a_call_without_an_answer_charges_the_card_once(bank: Bank, how: str) -> None:
    """It is repeated with the same key."""
    with a_system(bank, CallFails(order="T-1", how=how)) as system:
        book(system)
        system.advance(hours(1))

        system.expect("T-1", "book-trip").to_be(COMPLETED)
    assert len(bank.charges) == 1


def test_a_hotel_that_does_not_answer_is_cancelled_too(bank: Bank) -> None:
    """Its rooms may have been booked."""
    with a_system(bank, LosesReplies("hotels", "T-1", 0.0, minutes(4))) as system:
        book(system, nights=1)

        system.expect("T-1", "book-trip").to_be(CANCELLED).having_sent("FREE_PLACES")
        assert places(system) == [0, 0, 0, 0]


def test_days_are_settled_at_night(bank: Bank) -> None:
    """Once each, by the schedule."""
    with a_system(bank) as system:
        system.advance(days(3))

        found = [saga for saga in system.books.sagas() if saga.saga == "settle-day"]
        assert len(found) == 3
        assert {type(saga.start) for saga in found} == {SettlementDue}


@pytest.mark.parametrize("seed", range(20))
def test_no_rule_is_broken_in_a_simulation(seed: int) -> None:
    """With faults of all kinds, on the embedded log and on Kafka."""
    outcome = run_seed(seed, 4, "heavy", app=NAME)

    assert not outcome.violations, outcome.story
