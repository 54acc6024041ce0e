"""Sagas of a travel agency, small ones, each with one thing that a definition can say."""

from typing import Any

from order_sagas import (
    ONCE,
    Delay,
    Each,
    Failed,
    Failure,
    Message,
    Notice,
    Parallel,
    Participant,
    Remind,
    Replies,
    Retry,
    Saga,
    Step,
    Wait,
    days,
    hours,
    minutes,
)

FLIGHTS = Participant("flights", topic="flight-events")
HOTELS = Participant("hotels", topic="hotel-events")
SEATS = Participant("seats", topic="seat-events")
DESK = Participant("front-desk", topic="front-desk-events")


# fmt: off
class TripWanted(Message): travellers: tuple[str, ...] = (); nights: int = 0  # noqa: E701, E702
class BookFlight(Message): to: str = ""  # noqa: E701
class FlightBooked(Message): booking: str = ""  # noqa: E701
class FlightRefused(Failed): ...
class CancelFlight(Message): booking: str = ""  # noqa: E701
class FlightCancelled(Message): ...
class AskFlight(Message): ...
class FlightUnheardOf(Message): ...
class BookHotel(Message): flight: str = ""  # noqa: E701
class HotelBooked(Message): room: int = 0  # noqa: E701
class HotelRefused(Failed): ...
class CancelHotel(Message): room: int = 0  # noqa: E701
class HotelCancelled(Message): ...
class BookSeat(Message): traveller: str = ""; flight: str = ""  # noqa: E701, E702
class SeatBooked(Message): seat: str = ""  # noqa: E701
class SeatRefused(Failed): ...
class FreeSeat(Message): traveller: str = ""; seat: str = ""  # noqa: E701, E702
class SeatFreed(Message): ...
class AskApproval(Message): ...
class TripApproved(Message): by_whom: str = ""  # noqa: E701
class TripRejected(Failed): ...
class SendTicket(Message): flight: str = ""; rooms: int = 0  # noqa: E701, E702
class TicketSent(Message): ...
class TicketFailed(Failed): ...
class TripCancelled(Failed): flight: str = ""  # noqa: E701
# fmt: on


def book_flight(trip: TripWanted) -> BookFlight:
    return BookFlight(order_id=trip.order_id, to="Lisbon")


def cancel_flight(trip: TripWanted, replies: Replies) -> CancelFlight:
    booked = replies.get(FlightBooked)
    return CancelFlight(order_id=trip.order_id, booking=booked.booking if booked else "")


def book_hotel(trip: TripWanted, replies: Replies) -> BookHotel:
    return BookHotel(order_id=trip.order_id, flight=replies[FlightBooked].booking)


def cancel_hotel(trip: TripWanted) -> CancelHotel:
    return CancelHotel(order_id=trip.order_id)


def send_ticket(trip: TripWanted) -> SendTicket:
    return SendTicket(order_id=trip.order_id)


def tell(trip: TripWanted, failure: Failure, replies: Replies) -> TripCancelled:
    flight = replies.get(FlightBooked)
    return TripCancelled(
        order_id=trip.order_id, code=failure.code, flight=flight.booking if flight else ""
    )


def a_flight(**fields) -> Step[Any, Any]:
    """The step that books the flight; its undo reads its own reply."""
    usual = {
        "do": book_flight, "done": FlightBooked, "failed": FlightRefused, "within": minutes(1),
        "undo": cancel_flight, "undone": FlightCancelled, "retry": ONCE,
    }  # fmt: skip
    return Step("book flight", to=FLIGHTS, **{**usual, **fields})


def a_hotel(**fields) -> Step[Any, Any]:
    """The step that books the hotel; it reads the flight's reply."""
    usual = {
        "do": book_hotel, "done": HotelBooked, "failed": HotelRefused, "within": minutes(1),
        "undo": cancel_hotel, "undone": HotelCancelled, "retry": ONCE,
    }  # fmt: skip
    return Step("book hotel", to=HOTELS, **{**usual, **fields})


def a_seat(**fields) -> Step[Any, Any]:
    """The step of one traveller's seat."""
    usual = {
        "do": lambda trip, traveller: BookSeat(order_id=trip.order_id, traveller=traveller),
        "done": SeatBooked, "failed": SeatRefused, "within": minutes(1), "retry": ONCE,
        "undo": lambda trip, traveller, replies: FreeSeat(
            order_id=trip.order_id, traveller=traveller,
            seat=found.seat if (found := replies.get(SeatBooked)) else "",
        ),
        "undone": SeatFreed,
    }  # fmt: skip
    return Step("book seat", to=SEATS, **{**usual, **fields})


TICKET = Step("send ticket", to=DESK, do=send_ticket, pivot=True)
APPROVAL: Wait[TripWanted] = Wait(
    "approval",
    for_=TripApproved,
    refused=TripRejected,
    within=days(3),
    remind=Remind(hours(24), DESK, lambda trip: AskApproval(order_id=trip.order_id)),
)


def a_trip(*steps, **fields) -> Saga[Any]:
    """A saga of these steps."""
    return Saga("trip", 1, TripWanted, steps, **fields)


READING = a_trip(a_flight(), a_hotel(), TICKET, cancelled=[Notice(DESK, tell)])
CONDITIONAL = a_trip(
    a_flight(), a_hotel(when=lambda trip: trip.nights > 0), TICKET
)  # fmt: skip
PATIENT = a_trip(a_flight(), Delay("cool down", minutes(30)), APPROVAL, TICKET)
AT_ONCE = a_trip(
    a_flight(),
    Parallel(
        Each("book seats", over=lambda trip: trip.travellers, step=a_seat()),
        a_hotel(),
    ),
    TICKET,
)
IN_ORDER = a_trip(
    a_flight(),
    Each("book seats", over=lambda trip: trip.travellers, step=a_seat(), in_order=True),
    TICKET,
)
CAREFUL = a_trip(
    a_flight(
        retry=Retry(attempts=2, backoff=1, jitter=0),
        ask=lambda trip: AskFlight(order_id=trip.order_id),
        unknown=FlightUnheardOf,
    ),
    TICKET,
)
LIMITED = a_trip(
    a_flight(within=hours(10)),
    Step("send ticket", to=DESK, do=send_ticket, done=TicketSent, failed=TicketFailed,
         within=hours(10), retry=Retry(attempts=2, backoff=1, jitter=0), pivot=True),
    a_hotel(undo=None, undone=None, within=hours(10), retry=Retry(attempts=2, backoff=1, jitter=0)),
    deadline=hours(5),
)  # fmt: skip
SAGAS = (READING, CONDITIONAL, PATIENT, AT_ONCE, IN_ORDER, CAREFUL, LIMITED)
