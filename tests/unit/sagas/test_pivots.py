"""Nothing before a pivot is undone when the pivot has happened, or may have."""

from typing import Any

import pytest

from order_sagas import ONCE, Parallel, Retry, Step
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import CancelSaga, SkipStep
from order_sagas.actors.sagas import Phase, Status
from tests.support.trips import (
    DESK,
    LIMITED,
    FlightBooked,
    FlightCancelled,
    FlightRefused,
    HotelBooked,
    HotelCancelled,
    HotelRefused,
    TicketFailed,
    TicketSent,
    TripWanted,
    a_flight,
    a_hotel,
    a_trip,
    book_flight,
    cancel_hotel,
    send_ticket,
)
from tests.support.turns import Turns

START = TripWanted(order_id="T-1")


def a_ticket(**fields) -> Step[Any, Any]:
    """A pivot that is waited for and can fail."""
    usual = {"do": send_ticket, "done": TicketSent, "failed": TicketFailed, "within": 60,
             "pivot": True, "retry": ONCE}  # fmt: skip
    return Step("send ticket", to=DESK, **{**usual, **fields})


def at_pivot(*beside: Step[Any, Any]) -> Turns:
    """A trip whose pivot was sent."""
    pivot = Parallel(a_ticket(), *beside) if beside else a_ticket()
    turns = Turns(a_trip(a_flight(), pivot), START)
    turns.answer(FlightBooked)
    return turns


def test_a_saga_whose_pivot_was_sent_cannot_be_cancelled() -> None:
    """Nor when it is stuck: it may have happened."""
    turns = at_pivot()
    turns.answer(CancelSaga, by="ann", why="ill")
    turns.time_out()
    turns.answer(CancelSaga, by="ann", why="ill")

    reason = "its pivot 'send ticket' was sent, and may have happened"
    assert [reason, reason] == turns.ignored
    assert "CancelFlight" not in turns.sent
    assert Status.NEEDS_ATTENTION == turns.status


def test_a_stuck_pivot_is_settled_by_its_reply_or_an_operator() -> None:
    """A success continues, a failure compensates, an operator may skip it."""
    done, failed, said = at_pivot(), at_pivot(), at_pivot()
    for turns in (done, failed, said):
        turns.time_out()
    done.answer(TicketSent)
    failed.answer(TicketFailed, code="no_printer")
    failed.answer(FlightCancelled)
    said.answer(SkipStep, step="send ticket", by="ann", why="printed it")

    assert Status.COMPLETED == done.status
    assert Status.CANCELLED == failed.status
    assert Status.COMPLETED == said.status


def test_a_pivot_that_fails_compensates() -> None:
    """It has not happened."""
    turns = at_pivot()
    turns.answer(TicketFailed)

    assert "CancelFlight" == turns.sent[-1]


def test_a_step_sent_with_the_pivot_cannot_compensate_the_saga() -> None:
    """It gets stuck when it times out, whether the pivot was answered or not."""
    hotel = a_hotel(do=send_ticket, failed=None)
    for answered in (True, False):
        turns = at_pivot(hotel)
        if answered:
            turns.answer(TicketSent)
        turns.time_out()
        turns.answer(CancelSaga, by="ann", why="ill")

        assert Status.NEEDS_ATTENTION == turns.status
        assert not {"CancelFlight", "CancelHotel"} & {*turns.sent}
        assert 1 == len(turns.ignored)


def test_steps_sent_with_a_failed_pivot_are_undone() -> None:
    """Also stuck ones."""
    turns = at_pivot(a_hotel(do=send_ticket, failed=None))
    turns.time_out()
    turns.answer(TicketFailed)
    turns.answer(HotelCancelled)
    turns.answer(FlightCancelled)

    assert Status.CANCELLED == turns.status


def test_a_pivot_with_an_undo_is_undone_before_what_comes_before_it() -> None:
    """So it may time out: what is before it waits until it is known to be undone."""
    pivot = a_ticket(undo=cancel_hotel, undone=HotelCancelled)
    turns = Turns(a_trip(a_flight(), pivot), START)
    turns.answer(FlightBooked)
    turns.answer(CancelSaga, by="ann", why="ill")
    assert "CancelHotel" == turns.sent[-1]
    turns.answer(HotelCancelled)
    assert "CancelFlight" == turns.sent[-1]
    turns.answer(FlightCancelled)

    assert Status.CANCELLED == turns.status


def test_a_failure_after_the_pivot_is_retried_and_never_undone() -> None:
    """With the backoff of the step; then an operator decides, and a late success counts."""
    turns = Turns(LIMITED, START)
    turns.answer(FlightBooked)
    turns.answer(TicketSent)
    turns.answer(HotelRefused, code="full", attempt=1)
    assert turns.progress
    assert Phase.BACKOFF == turns.progress.steps[2].phase
    turns.answer(HotelRefused, code="full", attempt=1)
    assert ["it failed before, and is to be sent again"] == turns.ignored
    turns.time_out()
    turns.answer(HotelRefused, code="full", reason="no room", attempt=2)

    assert Status.NEEDS_ATTENTION == turns.status
    stuck = turns.notes[-1].fields["reason"]
    assert "it failed (full: no room), and what comes after the pivot is not undone" == stuck
    assert ["BookFlight", "SendTicket", "BookHotel", "BookHotel"] == turns.sent
    turns.answer(HotelBooked, attempt=2)
    assert "saga.completed" == turns.notes[-1].event


WRONG = {
    "`done` and `failed` are both FlightBooked": lambda: a_flight(failed=FlightBooked),
    "`done` and `undone` are both FlightBooked": lambda: a_flight(undone=FlightBooked),
    "`failed` and `undone` are both FlightRefused": lambda: a_flight(undone=FlightRefused),
    "what came before it would be undone": lambda: a_ticket(needs_no_undo=True),
    "so it needs an `undone` reply": lambda: a_ticket(undo=cancel_hotel),
    "which cannot be undone, so it must not fail": lambda: a_trip(
        Parallel(Step("tell", to=DESK, do=send_ticket, pivot=True), a_hotel(do=book_flight))
    ),
    "which can fail, so it needs an `undo`": lambda: a_trip(
        Parallel(a_ticket(), a_hotel(do=book_flight, failed=None, undo=None, undone=None))
    ),
    "so its `undo` would never be sent": lambda: a_trip(
        Parallel(a_ticket(failed=None), a_hotel(do=book_flight, failed=None))
    ),
    "so it needs an `undo`, or `needs_no_undo=True`": lambda: a_trip(
        Parallel(
            a_ticket(undo=cancel_hotel, undone=HotelCancelled),
            a_hotel(do=book_flight, undo=None, undone=None),
        )
    ),
}


@pytest.mark.parametrize("rule", WRONG)
def test_an_invalid_pivot_is_refused(rule) -> None:
    """When the definition is built, with the reason."""
    with pytest.raises(DefinitionError) as refused:
        WRONG[rule]()

    assert rule in str(refused.value)


def test_a_step_beside_a_pivot_must_not_fail() -> None:
    """It is retried until it succeeds."""
    patient = a_hotel(do=book_flight, failed=None, undo=None, undone=None, retry=Retry(attempts=2))
    turns = Turns(a_trip(Parallel(Step("tell", to=DESK, do=send_ticket, pivot=True), patient)))
    turns.deliver(START)
    turns.time_out()
    turns.time_out()
    turns.answer(HotelBooked)

    assert Status.COMPLETED == turns.status
