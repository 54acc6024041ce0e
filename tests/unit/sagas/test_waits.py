"""Delays, and waits for a message of a person or another system."""

from typing import Any

import pytest

from order_sagas import SIGNALS, Delay, Failed, Remind, Wait, days, hours, minutes
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import CancelSaga, ResumeSaga
from order_sagas.actors.sagas import Phase, Status, wakes_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.topics import DEAD_LETTERS, OPERATORS
from order_sagas.bridges.records.routing import ORCHESTRATOR, Routes
from tests.support.trips import (
    APPROVAL,
    DESK,
    FLIGHTS,
    PATIENT,
    TICKET,
    FlightBooked,
    FlightCancelled,
    TripApproved,
    TripRejected,
    TripWanted,
    a_flight,
    a_trip,
)
from tests.support.turns import Turns

START = TripWanted(order_id="T-1")


def cooled() -> Turns:
    """A trip that waits for its approval."""
    turns = Turns(PATIENT, START)
    turns.answer(FlightBooked)
    turns.time_out()
    return turns


def test_a_delay_ends_by_itself() -> None:
    """At its time, and with its own timer after a restart."""
    turns = Turns(PATIENT, START)
    turns.answer(FlightBooked)
    begun = turns.now
    assert turns.progress

    assert [(begun + minutes(30), 1)] == [(w.at, w.step) for w in wakes_of(turns.progress)]
    turns.time_out()
    assert begun + minutes(30) == turns.now
    assert ["DONE", "DONE", "SENT", "IDLE"] == [Phase(s.phase).name for s in turns.progress.steps]


def test_an_approval_lets_the_saga_go_on() -> None:
    """Without a saga id and an attempt."""
    turns = cooled()
    turns.answer(TripApproved)

    assert ["BookFlight", "SendTicket"] == turns.sent
    assert Status.COMPLETED == turns.status


def test_a_refusal_compensates_with_its_code() -> None:
    """As a failure reply does; there is nothing of the wait to undo."""
    turns = cooled()
    turns.answer(TripRejected, code="too_dear", reason="no budget")
    turns.answer(FlightCancelled)

    assert Status.CANCELLED == turns.status
    assert turns.progress
    assert ("approval", "too_dear") == (turns.progress.failed_step, turns.progress.code)


def test_reminders_are_sent_until_the_wait_ends() -> None:
    """Each with an id of its own; then the step has timed out."""
    turns = cooled()
    begun = turns.now
    for _ in range(3):
        turns.time_out()
    assert turns.progress

    assert ["BookFlight", "AskApproval", "AskApproval", "CancelFlight"] == turns.sent
    reminders = [s.message.event_id for s in turns.sends if s.to == DESK]
    assert ["trip/T-1/approval:remind/1", "trip/T-1/approval:remind/2"] == reminders
    assert (begun + days(3), "timed_out") == (turns.now, turns.progress.code)
    assert "approval: no answer within 259200 s" == turns.progress.reason


def test_an_answer_to_a_reminder_is_taken_whatever_attempt_it_names() -> None:
    """A service that answers copies the attempt of the reminder that it got."""
    turns = cooled()
    turns.time_out()
    turns.time_out()
    turns.answer(TripApproved, attempt=1, step="approval", saga_id="trip/T-1")

    assert Status.COMPLETED == turns.status


def test_a_reminder_that_is_late_is_sent_once() -> None:
    """After a restart, those that were missed are not sent together."""
    turns = cooled()
    begun, wake = turns.now, turns.wakes[-1]
    turns.deliver(wake, after=hours(60))
    turns.time_out()

    assert 1 == turns.sent.count("AskApproval")
    assert begun + days(3) == turns.now
    assert turns.progress
    assert "timed_out" == turns.progress.code


def test_a_saga_can_be_cancelled_while_it_waits() -> None:
    """A delay and a wait have nothing to undo."""
    turns = cooled()
    turns.answer(CancelSaga, by="ann", why="ill")
    turns.answer(FlightCancelled)

    assert ["BookFlight", "CancelFlight"] == turns.sent
    assert Status.CANCELLED == turns.status
    assert turns.progress
    undone, idle = Phase.UNDONE, Phase.IDLE
    assert [undone, undone, undone, idle] == [s.phase for s in turns.progress.steps]


def test_a_wait_after_the_pivot_needs_attention_and_can_be_resumed() -> None:
    """It is never undone; resuming waits again, and a late answer is still accepted."""
    signed: Wait[TripWanted] = Wait("signature", for_=TripApproved, within=hours(1))
    turns = Turns(a_trip(a_flight(), TICKET, signed), START)
    turns.answer(FlightBooked)
    turns.time_out()

    assert Status.NEEDS_ATTENTION == turns.status
    turns.answer(ResumeSaga, by="ann")
    assert turns.progress
    assert turns.progress.deadline == turns.now + hours(1)
    turns.time_out()
    turns.answer(TripApproved)
    assert "saga.completed" == turns.notes[-1].event


def test_signals_have_a_topic_of_their_own() -> None:
    """The orchestrator takes a signal there; nothing is sent to it, and a delay has no topic."""
    registry = Registry([PATIENT])
    routes = Routes(registry, [])

    assert [ORCHESTRATOR] == [r.receiver for r in routes.of(SIGNALS.topic, TripApproved)]
    assert [ORCHESTRATOR] == [r.receiver for r in routes.of(FLIGHTS.topic, TripWanted)]
    own = {"flight-events", "front-desk-events", "saga-signals"}
    assert own == {*routes.topics} - {OPERATORS, DEAD_LETTERS}
    assert ["flights", "front-desk"] == [*registry.participants()]
    assert {TripWanted, TripApproved, TripRejected} < registry.messages()
    assert ["trip/T-1"] == registry.saga_ids_of(TripApproved(order_id="T-1"))


def test_a_saga_that_begins_with_a_wait_starts_where_its_first_step_is() -> None:
    """Where there is none, on the topic of signals."""
    assert FLIGHTS == a_trip(Delay("cool down", 1), a_flight(), TICKET).origin
    assert SIGNALS == a_trip(Delay("cool down", 1), APPROVAL).origin


def test_a_scaled_wait_has_every_duration_scaled() -> None:
    """Also that of its reminders."""
    _, delay, wait, _ = PATIENT.scaled(0.5).rows

    assert minutes(15) == delay.within
    assert isinstance(wait, Wait)
    assert wait.remind
    assert (days(1.5), hours(12)) == (wait.within, wait.remind.every)


THREE: Any = lambda a, b, c: a  # noqa: E731
WRONG = {
    "`time` must be positive": lambda: Delay("x", 0),
    "`for_` and `refused` must be different": lambda: Wait(
        "x", for_=TripApproved, refused=TripApproved, within=1
    ),
    "`every` must be positive": lambda: Remind(0, DESK, lambda trip: trip),
    "`send` takes 3 arguments": lambda: Remind(1, DESK, THREE),
    "so it must not be refused": lambda: a_trip(
        a_flight(), TICKET, Wait("x", for_=TripApproved, refused=Failed, within=1)
    ),
    "must not end with ']'": lambda: Delay("x[0]", 1),
}


@pytest.mark.parametrize("rule", WRONG)
def test_an_invalid_wait_is_refused(rule) -> None:
    """When it is built."""
    with pytest.raises(DefinitionError) as refused:
        WRONG[rule]()

    assert rule in str(refused.value)
