"""The deadline of a whole saga."""

import pytest

from order_sagas import hours
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import CancelSaga
from order_sagas.actors.sagas import Status, wakes_of
from order_sagas.actors.sagas.places import WHOLE_SAGA
from order_sagas.actors.sagas.state import decode, encode
from tests.support.trips import (
    LIMITED,
    FlightBooked,
    FlightCancelled,
    HotelBooked,
    TicketSent,
    TripWanted,
    a_flight,
    a_trip,
)
from tests.support.turns import Turns

START = TripWanted(order_id="T-1")


def test_before_the_pivot_it_compensates() -> None:
    """Also steps whose outcome is unknown; the code says why."""
    turns = Turns(LIMITED, START)
    begun = turns.now
    assert turns.progress
    assert turns.progress == decode(encode(turns.progress), LIMITED)
    turns.time_out()

    assert begun + hours(5) == turns.now
    assert ["BookFlight", "CancelFlight"] == turns.sent
    turns.answer(FlightCancelled)
    assert turns.progress
    assert Status.CANCELLED == turns.status
    assert ("", "deadline") == (turns.progress.failed_step, turns.progress.code)
    assert "not completed within 18000 s" == turns.progress.reason
    causes = [e.cause for e in turns.progress.history if e.event == "saga.deadline_passed"]
    assert ["timer:deadline"] == causes


@pytest.mark.parametrize("replies", [(FlightBooked,), (FlightBooked, TicketSent)])
def test_after_the_pivot_the_saga_continues(replies) -> None:
    """The history notes once that the deadline passed."""
    turns = Turns(LIMITED, START)
    for reply in replies:
        turns.answer(reply)
    turns.time_out()

    assert "saga.deadline_passed" == turns.notes[-1].event
    assert "it goes on" in turns.notes[-1].fields["reason"]
    assert "CancelFlight" not in turns.sent
    for reply in (TicketSent, HotelBooked):
        turns.answer(reply)
    assert Status.COMPLETED == turns.status
    assert 1 == sum(note.event == "saga.deadline_passed" for note in turns.notes)


def test_it_survives_a_restart_and_ends_with_the_compensation() -> None:
    """A saga that is compensated already is not compensated again; its timer is stale."""
    turns = Turns(LIMITED, START)
    assert turns.progress
    (timer,) = [wake for wake in wakes_of(turns.progress) if wake.step == WHOLE_SAGA]
    turns.answer(CancelSaga, by="ann", why="ill")
    before = turns.progress
    turns.deliver(timer, after=hours(5))

    assert before is turns.progress
    assert WHOLE_SAGA not in [wake.step for wake in wakes_of(before)]


def test_it_ends_with_the_saga_and_is_scaled_with_it() -> None:
    """Nothing is waited for afterwards."""
    saga = a_trip(a_flight(), deadline=60)
    turns = Turns(saga, START)
    turns.answer(FlightBooked)
    assert turns.progress

    assert turns.progress.deadline is None
    assert 30 == saga.scaled(0.5).deadline
    with pytest.raises(DefinitionError, match="its deadline must be positive, not 0"):
        a_trip(a_flight(), deadline=0)
