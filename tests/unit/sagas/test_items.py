"""A step for each item: at once, or one after another; all are undone together."""

from typing import Any

import pytest
from msgspec.structs import replace

from order_sagas import Each
from order_sagas.actors.errors import DefinitionError, SagaError
from order_sagas.actors.messages import RetryStep, SkipStep
from order_sagas.actors.sagas import Phase, Status, wakes_of
from order_sagas.actors.sagas.places import names_of
from order_sagas.actors.sagas.state import decode, encode
from tests.support.trips import (
    AT_ONCE,
    IN_ORDER,
    TICKET,
    BookSeat,
    FlightBooked,
    FlightCancelled,
    FreeSeat,
    HotelBooked,
    HotelCancelled,
    SeatBooked,
    SeatFreed,
    SeatRefused,
    TripWanted,
    a_flight,
    a_seat,
    a_trip,
)
from tests.support.turns import Turns

START = TripWanted(order_id="T-1", travellers=("ann", "bob", "cy"))


def begun(saga=AT_ONCE) -> Turns:
    """A trip whose flight is booked."""
    turns = Turns(saga, START)
    turns.answer(FlightBooked, booking="F7")
    return turns


def sent_for(turns: Turns, kind: type[BookSeat | FreeSeat]) -> list[str]:
    """The travellers whom messages of this class are about, oldest first."""
    return [send.message.traveller for send in turns.sends if isinstance(send.message, kind)]


def test_each_item_has_a_step_of_its_own() -> None:
    """Sent at once, with the item's number in its name and in the ids of its messages."""
    turns = begun()
    seats = [send.message for send in turns.sends if type(send.message) is BookSeat]

    assert ["ann", "bob", "cy"] == sent_for(turns, BookSeat)
    assert ["book seat[0]", "book seat[1]", "book seat[2]"] == [m.step for m in seats]
    assert "trip/T-1/book seat[2]/1" == seats[2].event_id
    assert turns.progress
    rows = ["book flight", "book seats", "book hotel", "send ticket"]
    items = ["book seat[0]", "book seat[1]", "book seat[2]"]
    assert [*rows, *items] == names_of(AT_ONCE, turns.progress)
    assert turns.progress == decode(encode(turns.progress), AT_ONCE)


def test_the_row_is_complete_when_every_item_is() -> None:
    """In whatever order they are answered; its own completion is in the history once."""
    turns = begun()
    turns.answer(HotelBooked)
    for number in (2, 0, 1):
        assert Status.RUNNING == turns.status
        turns.answer(SeatBooked, step=f"book seat[{number}]")

    assert Status.COMPLETED == turns.status
    done = [n.fields["step"] for n in turns.notes if n.event == "saga.step_completed"]
    assert ["book seat[2]", "book seat[0]", "book seat[1]", "book seats"] == done[2:]


def test_a_reply_that_names_no_step_is_the_first_waiting_items() -> None:
    """Services written elsewhere send no more than the order id."""
    turns = begun()
    turns.answer(HotelBooked)
    for _ in range(3):
        turns.answer(SeatBooked)

    assert Status.COMPLETED == turns.status


def test_a_repeated_reply_of_an_item_is_ignored() -> None:
    """It does not count for another item."""
    turns = begun()
    for _ in range(3):
        turns.answer(SeatBooked, step="book seat[1]")

    assert 2 == len(turns.ignored)
    assert turns.progress
    assert [Phase.SENT, Phase.DONE, Phase.SENT] == [s.phase for s in turns.progress.steps[4:]]


def test_in_order_the_next_item_is_sent_when_the_one_before_is_done() -> None:
    """And not before."""
    turns = begun(IN_ORDER)
    assert ["ann"] == sent_for(turns, BookSeat)
    turns.answer(SeatBooked)
    assert ["ann", "bob"] == sent_for(turns, BookSeat)
    turns.answer(SeatBooked)
    turns.answer(SeatBooked)

    assert Status.COMPLETED == turns.status


def test_items_are_undone_whole() -> None:
    """Those that are done and those whose outcome is unknown, before the stage before them."""
    turns = begun()
    turns.answer(HotelBooked)
    turns.answer(SeatBooked, step="book seat[0]")
    turns.answer(SeatRefused, step="book seat[1]", code="sold_out")
    assert turns.progress

    assert ["cy", "ann"] == sent_for(turns, FreeSeat)
    assert "CancelFlight" not in turns.sent
    assert turns.progress == decode(encode(turns.progress), AT_ONCE)
    turns.answer(SeatFreed, step="book seat[2]")
    turns.answer(SeatFreed, step="book seat[0]")
    assert "CancelFlight" not in turns.sent
    turns.answer(HotelCancelled)
    turns.answer(FlightCancelled)
    assert Status.CANCELLED == turns.status
    assert "sold_out" == turns.progress.code


def test_in_order_items_are_undone_newest_first() -> None:
    """One after another; an item that was never sent is not undone."""
    turns = begun(IN_ORDER)
    turns.answer(SeatBooked)
    turns.time_out()
    assert ["bob"] == sent_for(turns, FreeSeat)
    turns.answer(SeatFreed)
    assert ["bob", "ann"] == sent_for(turns, FreeSeat)
    turns.answer(SeatFreed)
    turns.answer(FlightCancelled)

    assert Status.CANCELLED == turns.status


def test_what_to_undo_names_the_items() -> None:
    """The newest stage first; a row of items is there with its items."""
    turns = begun()
    turns.answer(SeatRefused, step="book seat[0]")
    undo = next(n.fields["undo"] for n in turns.notes if n.event == "saga.step_failed")

    assert ["book seat[2]", "book seat[1]", "book hotel", "book flight"] == undo


def test_without_items_the_row_is_skipped() -> None:
    """The history says why."""
    turns = Turns(IN_ORDER, replace(START, travellers=()))
    turns.answer(FlightBooked)
    assert turns.progress

    assert Status.COMPLETED == turns.status
    assert Phase.SKIPPED == turns.progress.steps[1].phase
    notes = [e.note for e in turns.progress.history if e.event == "saga.step_skipped"]
    assert ["there are no items"] == notes


def test_items_without_a_reply_are_done_when_sent() -> None:
    """As steps without `done` are."""
    told = a_seat(done=None, failed=None, within=None, undo=None, undone=None, needs_no_undo=True)
    saga = a_trip(Each("tell", over=lambda trip: trip.travellers, step=told, in_order=True), TICKET)
    turns = Turns(saga, START)

    assert ["ann", "bob", "cy"] == sent_for(turns, BookSeat)
    assert Status.COMPLETED == turns.status


def test_items_are_known_when_the_saga_gets_there() -> None:
    """From replies too; each has a deadline, also after a restart."""
    seats = Each("seats", step=a_seat(), reads=[FlightBooked],
                 over=lambda trip, replies: list(replies[FlightBooked].booking))  # fmt: skip
    turns = Turns(a_trip(a_flight(), seats, TICKET), START)
    turns.answer(FlightBooked, booking="xy")
    assert turns.progress

    assert ["x", "y"] == sent_for(turns, BookSeat)
    assert [3, 4] == [wake.step for wake in wakes_of(turns.progress)]
    assert (1, 1) == turns.progress.items


def test_an_operator_resolves_one_item() -> None:
    """By its name; the others are not changed."""
    late = a_seat(undo=None, undone=None, failed=None)
    saga = a_trip(a_flight(), TICKET, Each("seats", over=lambda t: t.travellers, step=late))
    turns = begun(saga)
    for _ in range(3):
        turns.time_out()
    assert Status.NEEDS_ATTENTION == turns.status
    turns.answer(RetryStep, step="book seat[1]", by="ann")
    turns.answer(SeatBooked, step="book seat[1]", attempt=2)
    turns.answer(SkipStep, step="book seat[0]", by="ann", why="by telephone")
    turns.answer(SkipStep, step="book seat[3]", by="ann", why="wrong")
    assert ["step 'book seat[3]' is not stuck; stuck: 'book seat[2]'"] == turns.ignored
    turns.answer(SeatBooked, step="book seat[2]")

    assert "saga.completed" == turns.notes[-1].event


def test_a_changed_number_of_items_is_an_error() -> None:
    """Otherwise the saga could undo an item that it never did."""
    size = [3]
    seats = Each("seats", step=a_seat(), over=lambda trip: range(size[0]), in_order=True)
    turns = Turns(a_trip(seats, TICKET), START)
    size[0] = 2

    with pytest.raises(SagaError, match="'seats' gave 3 items at first, and 2 now"):
        turns.answer(SeatBooked)


def test_a_scaled_row_has_its_steps_scaled() -> None:
    """The row stays as it is."""
    row = IN_ORDER.scaled(0.5).rows[1]

    assert isinstance(row, Each)
    assert (30.0, 30.0, True) == (row.within, row.step.within, row.in_order)


WRONG = {
    "must be a step with a command": lambda: a_row(a_seat(do=None, done=None, failed=None,
                                                          within=None)),
    "must not be a pivot": lambda: a_row(a_seat(pivot=True)),
    "leave items out in `over`": lambda: a_row(a_seat(when=lambda trip: True)),
    "`over` takes 3 arguments": lambda: a_row(a_seat(), over=lambda a, b, c: ()),
    "two steps are named 'book seat'": lambda: a_trip(
        a_flight(), a_row(a_seat()), a_flight().changed(name="book seat")
    ),
}  # fmt: skip


def a_row(step, over=lambda trip: trip.travellers) -> Each[Any, Any]:
    """A row of items."""
    return Each("seats", over=over, step=step)


@pytest.mark.parametrize("rule", WRONG)
def test_an_invalid_row_of_items_is_refused(rule) -> None:
    """When it is built."""
    with pytest.raises(DefinitionError) as refused:
        WRONG[rule]()

    assert rule in str(refused.value)
