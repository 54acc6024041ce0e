"""Functions of a definition read the replies of earlier steps; only these are stored."""

from typing import TypeVar

import pytest

from order_sagas import Each, Failed, Message, Replies, ReplyError, Step
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Status
from order_sagas.actors.sagas.state import decode, encode
from tests.support.trips import (
    AT_ONCE,
    CONDITIONAL,
    FLIGHTS,
    HOTELS,
    READING,
    TICKET,
    AskFlight,
    BookHotel,
    CancelFlight,
    CancelHotel,
    FlightBooked,
    FlightCancelled,
    HotelBooked,
    HotelRefused,
    SeatBooked,
    TripCancelled,
    TripWanted,
    a_flight,
    a_hotel,
    a_seat,
    a_trip,
)
from tests.support.turns import Turns

M = TypeVar("M", bound=Message)
START = TripWanted(order_id="T-1", travellers=("ann", "bob", "cy"), nights=2)


def last(turns: Turns, kind: type[M]) -> M:
    """The newest message of this class that was sent."""
    return next(s.message for s in reversed(turns.sends) if isinstance(s.message, kind))


def test_a_command_a_compensation_and_a_notice_read_earlier_replies() -> None:
    """Each gets the typed reply of the named step."""
    turns = Turns(READING, START)
    turns.answer(FlightBooked, booking="F7")
    turns.answer(HotelRefused)
    turns.answer(FlightCancelled)

    assert "F7" == last(turns, BookHotel).flight
    assert "F7" == last(turns, CancelFlight).booking
    assert "F7" == last(turns, TripCancelled).flight
    assert Status.CANCELLED == turns.status


def test_replies_survive_a_restart() -> None:
    """They are stored under the step's name, and typed again when they are read."""
    turns = Turns(READING, START)
    turns.answer(FlightBooked, booking="F7", event_id="e", attempt=1, traceparent="t")
    assert turns.progress

    assert {"book flight": FlightBooked(order_id="T-1", booking="F7")} == turns.progress.replies
    assert turns.progress == decode(encode(turns.progress), READING)


def test_a_step_without_an_answer_has_no_reply() -> None:
    """Its compensation gets None, because its outcome is unknown."""
    turns = Turns(READING, START)
    turns.time_out()

    assert "" == last(turns, CancelFlight).booking


def test_a_definition_that_reads_nothing_stores_nothing() -> None:
    """So that unused replies cost nothing."""
    turns = Turns(a_trip(a_flight(undo=lambda trip: CancelHotel(order_id=trip.order_id)), TICKET))
    turns.deliver(START)
    turns.answer(FlightBooked, booking="F7")

    assert frozenset() == PLACE_ORDER.kept
    assert turns.progress
    assert turns.progress.replies is None
    assert b"replies" not in encode(turns.progress)


def test_only_what_reads_names_is_stored() -> None:
    """By class, or by the name of the step."""
    flight = a_flight(undo=lambda trip: CancelFlight(order_id=trip.order_id))
    hotel = a_hotel(do=lambda trip: BookHotel(order_id=trip.order_id))
    ask: Step[TripWanted, Replies]
    ask = Step("ask", to=FLIGHTS, needs_no_undo=True, reads=[HotelBooked],
               do=lambda trip, replies: AskFlight(order_id=trip.order_id))  # fmt: skip
    by_name = ask.changed(reads=("book flight",))

    assert {1} == a_trip(flight, hotel, ask).kept
    assert {0} == a_trip(flight, hotel, by_name).kept


def test_the_items_of_a_row_have_replies_of_their_own() -> None:
    """Each compensation gets its own; `all` gets every one, in the order of the items."""
    saga = a_trip(
        Each("book seats", over=lambda trip: trip.travellers, step=a_seat()),
        a_hotel(do=lambda trip, replies: BookHotel(
            order_id=trip.order_id, flight=" ".join(r.seat for r in replies.all(SeatBooked)))),
        TICKET,
    )  # fmt: skip
    turns = Turns(saga, START)
    for number in (2, 0, 1):
        turns.answer(SeatBooked, step=f"book seat[{number}]", seat=f"{number}A")
    turns.answer(HotelRefused)

    assert "0A 1A 2A" == last(turns, BookHotel).flight
    assert ["2A", "1A", "0A"] == [s.message.seat for s in turns.sends[-3:]]  # type: ignore[attr-defined]


def test_a_missing_reply_is_an_error_that_names_the_step() -> None:
    """Skipped, ambiguous, of no step, not stored, of another step."""
    turns = Turns(CONDITIONAL, TripWanted(order_id="T-1"))
    turns.answer(FlightBooked, booking="F7")
    assert turns.progress
    known = Replies(CONDITIONAL, turns.progress.replies)
    seats = Replies(AT_ONCE, None)
    twice = Replies(a_trip(a_flight(), Step("again", to=FLIGHTS, do=a_hotel().do, done=FlightBooked,
                                            within=1, needs_no_undo=True)), None)  # fmt: skip

    assert "F7" == known.of("book flight", FlightBooked).booking
    with pytest.raises(ReplyError, match="'book hotel' is not answered with FlightBooked"):
        known.of("book hotel", FlightBooked)
    with pytest.raises(ReplyError, match="HotelBooked of step 'book hotel' is not stored"):
        known.get(HotelBooked)
    with pytest.raises(ReplyError, match="SeatBooked answers no step"):
        known.get(SeatBooked)
    with pytest.raises(ReplyError, match=r"more than one step \('book seats'\)"):
        seats[SeatBooked]
    with pytest.raises(ReplyError, match=r"more than one step \('book flight', 'again'\)"):
        twice[FlightBooked]
    with pytest.raises(ReplyError, match="'book flight' has no reply FlightBooked: it was skipped"):
        Replies(READING, None)[FlightBooked]


READS = {
    "takes 3 arguments; it must take (start) or (start, replies)": lambda: a_trip(
        a_flight(do=lambda a, b, c: a)
    ),
    "it must take (start, item) or (start, item, replies)": lambda: a_trip(
        Each("seats", over=lambda trip: (), step=a_seat(do=lambda trip: trip))
    ),
    "needs the keyword argument 'more'": lambda: a_flight(do=lambda trip, *, more: trip),
    "takes no argument": lambda: a_flight(do=lambda: None),
    "must be a function": lambda: a_flight(do=7),
    "no function of it takes replies": lambda: a_trip(
        a_flight(undo=lambda trip: trip, reads=[FlightBooked])
    ),
    "reads HotelBooked, which is not of an earlier step": lambda: a_trip(
        a_flight(reads=[HotelBooked]), a_hotel()
    ),
    "reads Failed, which answers no step": lambda: a_trip(a_flight(reads=[Failed])),
    "which answers several steps ('book flight', 'again')": lambda: a_trip(
        a_flight(),
        Step("again", to=HOTELS, do=a_hotel().do, done=FlightBooked, within=1, needs_no_undo=True),
        a_hotel(reads=[FlightBooked]),
    ),
}


@pytest.mark.parametrize("rule", READS)
def test_an_invalid_function_is_refused(rule) -> None:
    """When the definition is built, with the step and what is accepted."""
    with pytest.raises(DefinitionError) as refused:
        READS[rule]()

    assert rule in str(refused.value)
