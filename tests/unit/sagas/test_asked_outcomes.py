"""A participant is asked for the outcome of a command before it is repeated or undone."""

from typing import Any

import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import ResumeSaga
from order_sagas.actors.sagas import Phase, Status
from order_sagas.actors.sagas.state import decode, encode
from tests.support.trips import (
    CAREFUL,
    TICKET,
    AskFlight,
    FlightBooked,
    FlightCancelled,
    FlightRefused,
    FlightUnheardOf,
    TripWanted,
    a_flight,
    a_trip,
)
from tests.support.turns import Turns

START = TripWanted(order_id="T-1")


def asked() -> Turns:
    """A trip whose flight had no answer in time."""
    turns = Turns(CAREFUL, START)
    turns.time_out()
    return turns


def test_the_question_is_sent_first() -> None:
    """With its own id, the step and the attempt."""
    turns = asked()
    question = turns.sends[-1].message
    assert turns.progress

    assert ["BookFlight", "AskFlight"] == turns.sent
    assert "trip/T-1/book flight:ask/1/1" == question.event_id
    assert ("book flight", 1) == (question.step, question.attempt)
    assert Phase.ASKED == turns.progress.steps[0].phase
    assert turns.progress == decode(encode(turns.progress), CAREFUL)


def test_an_answer_settles_the_step() -> None:
    """As the reply to the command does."""
    done, failed = asked(), asked()
    done.answer(FlightBooked)
    failed.answer(FlightRefused)

    assert Status.COMPLETED == done.status
    assert ["BookFlight", "AskFlight"] == failed.sent
    assert Status.CANCELLED == failed.status


def test_a_command_that_never_arrived_is_sent_again() -> None:
    """After the backoff, as another attempt; then asked about again."""
    turns = asked()
    turns.answer(FlightUnheardOf)
    turns.answer(FlightUnheardOf)
    assert ["no question is open"] == turns.ignored
    turns.time_out()
    assert ["BookFlight", "AskFlight", "BookFlight"] == turns.sent
    assert 2 == turns.sends[-1].message.attempt
    turns.time_out()
    assert "trip/T-1/book flight:ask/2/2" == turns.sends[-1].message.event_id


def test_a_command_that_never_arrives_is_given_up_and_undone() -> None:
    """It may still arrive, so it is undone too."""
    turns = asked()
    turns.answer(FlightUnheardOf)
    turns.time_out()
    turns.time_out()
    turns.answer(FlightUnheardOf)

    assert "CancelFlight" == turns.sent[-1]
    assert turns.progress
    assert "timed_out" == turns.progress.code


def test_without_an_answer_the_command_is_never_repeated() -> None:
    """The question is, as often as the step has attempts; then the step has timed out."""
    turns = asked()
    turns.time_out()
    turns.time_out()
    turns.answer(FlightCancelled)

    assert ["BookFlight", "AskFlight", "AskFlight", "CancelFlight"] == turns.sent
    assert Status.CANCELLED == turns.status


def test_after_the_pivot_an_operator_repeats_the_question() -> None:
    """For a stuck step, the question is sent, not the command."""
    flight = CAREFUL.rows[0].changed(undo=None, undone=None, undo_takes=0, failed=None)
    turns = Turns(a_trip(TICKET, flight), START)
    for _ in range(3):
        turns.time_out()
    assert Status.NEEDS_ATTENTION == turns.status
    turns.answer(ResumeSaga, by="ann")

    assert 1 == turns.sent.count("BookFlight")
    assert "AskFlight" == turns.sent[-1]
    turns.answer(FlightBooked)
    assert "saga.completed" == turns.notes[-1].event


WRONG: dict[str, dict[str, Any]] = {
    "asks for an outcome (`ask`) but waits for none": {
        "done": None, "failed": None, "within": None, "ask": lambda trip: AskFlight(order_id="x"),
    },
    "has an `unknown` reply but no `ask`": {"unknown": FlightUnheardOf},
    "`done` and `unknown` are both FlightBooked": {
        "ask": lambda trip: AskFlight(order_id="x"), "unknown": FlightBooked,
    },
}  # fmt: skip


@pytest.mark.parametrize("rule", WRONG)
def test_an_invalid_question_is_refused(rule) -> None:
    """When the step is built."""
    with pytest.raises(DefinitionError) as refused:
        a_flight(**WRONG[rule])

    assert rule in str(refused.value)
