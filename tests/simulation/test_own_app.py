"""Another app is simulated like the order business, with its own starts, faults and rules."""

from typing import Any

import attrs
import pytest

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.rules import Stored, rule
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.participant import Participant
from order_sagas.actors.sagas.state import Status
from order_sagas.actors.sagas.step import Step
from order_sagas.actors.services.service import Answer, Service
from order_sagas.system.harness import simulated_business
from order_sagas.system.harness.campaign import run_seed
from order_sagas.system.harness.shrink import shrink
from tests.support.rentals import APP
from tests.support.rentals.app import RENT_CAR
from tests.support.rentals.messages import AskForApproval, RentalRequested
from tests.support.rentals.services import Cars, Deposits

NAME = "tests.support.rentals:APP"
RENTALS = 10


class Liked(Message):
    """The answer to a question that nobody answers."""


class SurveyNote(Entity):
    """An entity that no service stores."""

    table = "survey_notes"
    order_id: str


NOTHING_THERE: dict[str, Answer] = {}


@pytest.fixture
def app(monkeypatch):
    """Replace the rentals by another app."""

    def put(**changes):
        changed = simulated_business.AppBusiness(attrs.evolve(APP, **changes))
        monkeypatch.setattr(
            "order_sagas.system.harness.simulation.business_of", lambda name: changed
        )
        return changed

    return put


def test_rentals_end_under_faults() -> None:
    """Some are completed, some cancelled, in every mode of the log."""
    outcomes = [run_seed(seed, RENTALS, "heavy", app=NAME) for seed in range(12)]

    assert [] == [each.violations for each in outcomes if each.violations]
    statuses = sum((each.statuses for each in outcomes), start=type(outcomes[0].statuses)())
    assert 12 * RENTALS == statuses.total()
    assert min(statuses["COMPLETED"], statuses["CANCELLED"]) > RENTALS
    assert sum(len(each.plan) for each in outcomes) > 50


def test_a_seed_gives_the_same_run_again() -> None:
    """Every line of the log is the same."""
    first, second = (run_seed(3, RENTALS, "heavy", app=NAME) for _ in range(2))

    assert first.digest == second.digest
    assert first.plan == second.plan


def test_faults_are_drawn_for_the_records_of_the_app() -> None:
    """Commands are known from the records of runs without faults."""
    words = simulated_business.business_of(NAME).vocabulary

    assert {"RESERVE_CAR", "CAR_RESERVED", "RELEASE_CAR", "TAKE_DEPOSIT", "HAND_OVER_KEYS"} < {
        *words.waited_for
    }
    assert {"RESERVE_CAR", "TAKE_DEPOSIT"} == {*words.overtaken}
    assert {"cars", "deposits", "desk"} == {*words.services}
    assert not [each for each in words.every if "ORDER" in each or "PAYMENT" in each]


def test_a_rule_of_the_app_is_checked_at_every_commit(app) -> None:
    """A violation names the order; a rule that raises counts as broken."""

    @rule("no car is reserved")
    def none(order: Stored) -> str | None:
        return "it is" if order.entity(Cars.entity) else None

    @rule("raises")
    def raises(order: Stored) -> str | None:
        raise ZeroDivisionError("in a rule")

    app(rules=[none, raises])
    outcome = run_seed(0, 2, "none", 0, NAME)

    found = {(each.rule, each.detail) for each in outcome.violations}
    assert ("no car is reserved", "it is") in found
    assert ("raises", "the rule raised ZeroDivisionError: in a rule") in found


def test_a_rule_with_ended_is_checked_only_for_ended_sagas(app) -> None:
    """A completed saga has stored all its results."""
    seen: list[int] = []

    @rule("has a deposit", ended=True)
    def deposit(order: Stored) -> str | None:
        saga = order.sagas["rent-car"]
        seen.append(saga.status)
        paid = order.entity(Deposits.entity)
        return "none" if saga.status == Status.COMPLETED and paid is None else None

    app(rules=[deposit])

    assert [] == run_seed(1, RENTALS, "light", 0, NAME).violations
    assert {Status.COMPLETED, Status.CANCELLED} >= {*seen}
    assert Status.COMPLETED in seen


def test_a_saga_that_never_ends_is_a_violation(app) -> None:
    """A step after the pivot that nobody answers needs attention, whoever resumes it."""
    ask_again: Step[Any] = Step(
        "ask how it was", to=Participant("survey", topic="survey-events"),
        do=AskForApproval, done=Liked, within=60.0,
    )  # fmt: skip

    class Survey(Service):
        """Takes the question, and never answers."""

        participant, entity = ask_again.to, SurveyNote
        handlers = {AskForApproval: lambda self, known, command, now: Answer()}

    saga = Saga("rent-car", 1, RentalRequested, [*RENT_CAR.rows, ask_again])
    app(
        sagas=[saga],
        services=[Cars, Deposits, Survey],
        sample=lambda rng, order_id: RentalRequested(order_id=order_id, car="van"),
    )
    outcome = run_seed(0, 2, "none", 0, NAME)

    assert "rent-car/ORD-1 is NEEDS_ATTENTION at ask how it was, without any fault" in {
        each.detail for each in outcome.violations if each.rule == "all ended"
    }


def test_a_handler_that_raises_is_a_violation_without_any_fault(app) -> None:
    """It makes dead letters, and the saga only times out."""

    class Broken(Cars):
        """A service with a typing error."""

        handlers = {message: (lambda *_: NOTHING_THERE["no such key"]) for message in Cars.handlers}

    app(services=[Broken, Deposits])
    outcome = run_seed(0, 3, "none", 0, NAME)

    title, first = outcome.story.splitlines()[:2]
    assert "What went wrong in services:" == title
    assert "service 'cars' raised KeyError: 'no such key' at RESERVE_CAR" in first
    assert ("no dead letters", "KeyError: 'no such key'") in {
        (each.rule, each.detail) for each in outcome.violations
    }


def test_a_violation_is_shrunk_to_few_faults(app) -> None:
    """A rule that a repeated command breaks needs one fault to be broken."""

    @rule("asked once")
    def once(order: Stored) -> str | None:
        return "asked again" if order.sagas["rent-car"].steps[1].attempt > 1 else None

    app(rules=[once])
    found = next(
        outcome
        for outcome in (run_seed(seed, RENTALS, "heavy", 0, NAME) for seed in range(20))
        if any(each.rule == "asked once" for each in outcome.violations)
    )

    assert len(shrink(found).plan) <= 1


def test_a_timer_less_than_a_microsecond_ahead_does_not_fire_early() -> None:
    """It would fire at once, again and again, before its time."""
    outcome = run_seed(53, 4, "heavy", app="examples.travel.app:APP")

    assert [] == outcome.violations
    assert outcome.statuses["COMPLETED"]
