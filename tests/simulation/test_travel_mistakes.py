"""Typical mistakes in an app are found by its simulation."""

from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from examples.travel import messages as m
from examples.travel.app import APP
from examples.travel.services import Bank, Booking, Cards, Charge, Flights
from order_sagas import Answer, Declined, Stored, rule
from order_sagas.system.harness import simulated_business
from order_sagas.system.harness.campaign import run_seed

SEEDS = 100


class KeyPerAttempt(Cards):
    """Charges with another key when a command is repeated."""

    def doing(self, effect: Any, owed: Any) -> Any:
        _, make = super().doing(effect, owed)
        key = f"{effect.order_id}/{owed.attempt}"
        return key, make


class CallWithItsOwnKey(Cards):
    """Charges with a key that it makes in each call, in place of the one that it is given."""

    @staticmethod
    def perform(client: Bank, command: m.ChargeCard, key: str) -> m.CardCharged | Declined:
        return Cards.perform(client, command, f"{key}/{len(client.charges)}")


class UndoWithoutTombstone(Flights):
    """Answers an undo that comes before its command, and stores nothing."""

    def roll_back(self, known: Booking | None, command: Any, now: float) -> Answer:
        answer = super().roll_back(known, command, now)
        return answer if known else Answer((), answer.replies)


class UndoOfOnePlace(Flights):
    """Gives back one of several places."""

    def take_back(self, known: Booking, command: m.FreePlaces) -> Booking:
        return replace(known, places=max(0, known.places - 1))


@rule("nothing is paid back for a booked trip", ended=True)
def refunded(order: Stored) -> str | None:
    """Reads `made` in place of `undone`."""
    charge = order.entity(Charge)
    return "it was" if order.is_completed("book-trip") and charge and charge.made else None


def found_in(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[int, set[str]]:
    """Return the first seed in which a rule is broken, and the rules that are."""
    business = simulated_business.AppBusiness(attrs.evolve(APP, **changes))
    monkeypatch.setattr("order_sagas.system.harness.simulation.business_of", lambda _: business)
    for seed in range(SEEDS):
        outcome = run_seed(seed, 15, "heavy", 0, "the app with a mistake")
        if outcome.violations:
            return seed, {each.rule for each in outcome.violations}
    return SEEDS, set()


@pytest.mark.parametrize(
    ("service", "broken"),
    [
        (KeyPerAttempt, "one key for each effect"),
        (CallWithItsOwnKey, "one reply for each key"),
        (UndoWithoutTombstone, "a cancelled trip keeps nothing"),
        (UndoOfOnePlace, "a cancelled trip keeps nothing"),
    ],
)
def test_a_mistake_of_a_service_is_found(monkeypatch, service, broken) -> None:
    """By the rule that describes it."""
    services = [service if issubclass(service, each) else each for each in APP.services]
    seed, rules = found_in(monkeypatch, services=services)

    print("found in seed", seed)
    assert broken in rules


def test_a_rule_on_the_wrong_field_is_found(monkeypatch) -> None:
    """It is broken without any fault."""
    seed, rules = found_in(monkeypatch, rules=[*APP.rules, refunded])

    print("found in seed", seed)
    assert {"nothing is paid back for a booked trip"} == rules
