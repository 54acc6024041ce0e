"""The services of `tests.support.trips`: each remembers what it did, and refuses what is undone."""

from typing import ClassVar

from order_sagas import NOTHING, Answer, Entity, Service
from tests.support.trips import (
    DESK,
    FLIGHTS,
    HOTELS,
    SEATS,
    AskApproval,
    AskFlight,
    BookFlight,
    BookHotel,
    BookSeat,
    CancelFlight,
    CancelHotel,
    FlightBooked,
    FlightCancelled,
    FlightUnheardOf,
    FreeSeat,
    HotelBooked,
    HotelCancelled,
    HotelRefused,
    SeatBooked,
    SeatFreed,
    SeatRefused,
    SendTicket,
    TicketSent,
    TripCancelled,
)

BOOKED, CANCELLED = "BOOKED", "CANCELLED"
FULL = "full"
"""A trip whose id begins with it gets no hotel room."""
NOBODY = "nobody"
"""A traveller who gets no seat."""


class Flight(Entity):
    """A booked flight."""

    table: ClassVar[str] = "trip_flights"

    order_id: str
    status: str
    commands: int = 0


class Room(Entity):
    """A booked room."""

    table: ClassVar[str] = "trip_rooms"

    order_id: str
    status: str
    flight: str = ""


class Plan(Entity):
    """The seats of a trip: the travellers who have one, and those whose seat was freed."""

    table: ClassVar[str] = "trip_seats"

    order_id: str
    taken: tuple[str, ...] = ()
    freed: tuple[str, ...] = ()


class File(Entity):
    """What the front desk did for a trip."""

    table: ClassVar[str] = "trip_files"

    order_id: str
    did: tuple[str, ...] = ()


class Airline(Service):
    participant, entity = FLIGHTS, Flight

    def book(self, flight: Flight | None, command: BookFlight, now: float) -> Answer:
        if flight and flight.status == CANCELLED:
            return NOTHING
        order_id = command.order_id
        return Answer(
            (Flight(order_id=order_id, status=BOOKED),),
            (FlightBooked(order_id=order_id, booking=f"F-{order_id}"),),
        )

    def ask(self, flight: Flight | None, command: AskFlight, now: float) -> Answer:
        reply = FlightBooked if flight and flight.status == BOOKED else FlightUnheardOf
        return Answer((), (reply(order_id=command.order_id),))

    def cancel(self, flight: Flight | None, command: CancelFlight, now: float) -> Answer:
        order_id = command.order_id
        return Answer(
            (Flight(order_id=order_id, status=CANCELLED),), (FlightCancelled(order_id=order_id),)
        )

    handlers: ClassVar = {BookFlight: book, CancelFlight: cancel, AskFlight: ask}


class Hotel(Service):
    participant, entity = HOTELS, Room

    def book(self, room: Room | None, command: BookHotel, now: float) -> Answer:
        order_id = command.order_id
        if order_id.startswith(FULL):
            return Answer((), (HotelRefused(order_id=order_id, code="full"),))
        if room and room.status == CANCELLED:
            return NOTHING
        return Answer(
            (Room(order_id=order_id, status=BOOKED, flight=command.flight),),
            (HotelBooked(order_id=order_id, room=7),),
        )

    def cancel(self, room: Room | None, command: CancelHotel, now: float) -> Answer:
        order_id = command.order_id
        return Answer(
            (Room(order_id=order_id, status=CANCELLED),), (HotelCancelled(order_id=order_id),)
        )

    handlers: ClassVar = {BookHotel: book, CancelHotel: cancel}


class Seating(Service):
    participant, entity = SEATS, Plan

    def book(self, plan: Plan | None, command: BookSeat, now: float) -> Answer:
        order_id, traveller = command.order_id, command.traveller
        plan = plan or Plan(order_id=order_id)
        if traveller == NOBODY:
            return Answer((), (SeatRefused(order_id=order_id, code="no_seat"),))
        if traveller in plan.freed:
            return NOTHING
        if traveller not in plan.taken:
            plan = Plan(order_id=order_id, taken=(*plan.taken, traveller), freed=plan.freed)
        return Answer((plan,), (SeatBooked(order_id=order_id, seat=f"1-{traveller}"),))

    def free(self, plan: Plan | None, command: FreeSeat, now: float) -> Answer:
        order_id, traveller = command.order_id, command.traveller
        plan = plan or Plan(order_id=order_id)
        freed = plan.freed if traveller in plan.freed else (*plan.freed, traveller)
        taken = tuple(other for other in plan.taken if other != traveller)
        return Answer(
            (Plan(order_id=order_id, taken=taken, freed=freed),), (SeatFreed(order_id=order_id),)
        )

    handlers: ClassVar = {BookSeat: book, FreeSeat: free}


class FrontDesk(Service):
    participant, entity = DESK, File

    def note(self, file: File | None, command: object, now: float) -> Answer:
        order_id, what = command.order_id, type(command).__name__  # type: ignore[attr-defined]
        did = file.did if file else ()
        replies = (TicketSent(order_id=order_id),) if type(command) is SendTicket else ()
        if what in did and what != "AskApproval":
            return Answer((), replies)
        return Answer((File(order_id=order_id, did=(*did, what)),), replies)

    handlers: ClassVar = {SendTicket: note, AskApproval: note, TripCancelled: note}


TRIP_SERVICES = (Airline, Hotel, Seating, FrontDesk)
