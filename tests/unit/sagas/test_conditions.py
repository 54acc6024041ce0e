"""A step whose condition does not hold is skipped, and never undone."""

from order_sagas import Parallel
from order_sagas.actors.sagas import Phase, Status
from order_sagas.actors.sagas.state import decode, encode
from tests.support.trips import (
    CONDITIONAL,
    TICKET,
    BookHotel,
    CancelHotel,
    FlightBooked,
    FlightCancelled,
    HotelBooked,
    TripWanted,
    a_flight,
    a_hotel,
    a_trip,
)
from tests.support.turns import Turns

DAY_TRIP = TripWanted(order_id="T-1", nights=0)
STAY = TripWanted(order_id="T-1", nights=2)


def phases(turns: Turns) -> list[str]:
    """The phase of each place."""
    assert turns.progress
    return [Phase(state.phase).name for state in turns.progress.steps]


def test_a_step_is_skipped_and_the_saga_goes_on() -> None:
    """The history says so; nothing is sent for it, and a reply to it is ignored."""
    turns = Turns(CONDITIONAL, DAY_TRIP)
    turns.answer(FlightBooked)

    assert ["DONE", "SKIPPED", "DONE"] == phases(turns)
    assert ["BookFlight", "SendTicket"] == turns.sent
    assert Status.COMPLETED == turns.status
    assert turns.progress
    (entry,) = [e for e in turns.progress.history if e.event == "saga.step_skipped"]
    assert ("book hotel", "its condition does not hold") == (entry.step, entry.note)
    assert turns.progress == decode(encode(turns.progress), CONDITIONAL)


def test_a_step_whose_condition_holds_is_sent() -> None:
    """The condition is evaluated when the saga reaches the step."""
    turns = Turns(CONDITIONAL, STAY)
    turns.answer(FlightBooked)
    turns.answer(HotelBooked)

    assert ["BookFlight", "BookHotel", "SendTicket"] == turns.sent


def test_a_skipped_step_is_not_undone() -> None:
    """Its participant gets no message."""
    saga = a_trip(a_hotel(do=lambda trip: BookHotel(order_id=trip.order_id),
                          when=lambda trip: False), a_flight(), TICKET)  # fmt: skip
    turns = Turns(saga, DAY_TRIP)
    turns.time_out()
    turns.answer(HotelBooked)
    turns.answer(FlightCancelled)

    assert ["BookFlight", "CancelFlight"] == turns.sent
    assert ["the step was skipped"] == turns.ignored
    assert ["SKIPPED", "UNDONE", "IDLE"] == phases(turns)
    assert Status.CANCELLED == turns.status
    undo = next(n.fields["undo"] for n in turns.notes if "undo" in n.fields)
    assert ["book flight"] == undo


def test_a_condition_reads_replies_and_a_group_may_be_skipped_whole() -> None:
    """The reply that it reads is stored."""
    saga = a_trip(
        a_flight(undo=lambda trip: CancelHotel(order_id=trip.order_id)),
        Parallel(
            a_hotel(do=lambda trip: BookHotel(order_id=trip.order_id),
                    when=lambda trip, replies: replies[FlightBooked].booking == "F7"),
            a_hotel(do=lambda trip: BookHotel(order_id=trip.order_id),
                    when=lambda trip: False).changed(name="another hotel"),
        ),
        TICKET,
    )  # fmt: skip
    other, same = Turns(saga, STAY), Turns(saga, STAY)
    other.answer(FlightBooked, booking="F8")
    same.answer(FlightBooked, booking="F7")

    assert Status.COMPLETED == other.status
    assert ["DONE", "SENT", "SKIPPED", "IDLE"] == phases(same)


def test_a_saga_may_begin_with_a_skipped_step() -> None:
    """And may consist of nothing else."""
    saga = a_trip(a_flight(when=lambda trip: trip.nights > 0))

    assert Status.COMPLETED == Turns(saga, DAY_TRIP).status
    assert Status.RUNNING == Turns(saga, STAY).status
