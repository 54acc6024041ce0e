"""The services of a trip. Each answers a repeated command again, and remembers what was undone."""

# ruff: noqa: E701, E702, I001 - short declarations are easier to read as a list
# fmt: off
from typing import ClassVar
from msgspec.structs import replace
from examples.travel import messages as m
from order_sagas import (
    Answer, Declined, Effect, EffectService, Entity, Failed, Message, Participant, Service,
)


class Booking(Entity): order_id: str; status: str; places: int = 0
class Flight(Booking): table = "flight_bookings"
class Hotel(Booking): table = "hotel_bookings"
class Car(Booking): table = "car_bookings"
class Policy(Booking): table = "travel_policies"
class Charge(Effect): table = "travel_charges"
class Document(Entity): table = "travel_documents"; order_id: str; receipt: str = ""

class Bookings(Service):
    """Keeps places for orders: the base of four services. `price` is in cents for each place."""
    entity: ClassVar[type[Entity]]
    made: ClassVar[type[Booking]]
    booked: ClassVar[type[m.Booked]]
    refused: ClassVar[type[Failed]]
    cancelled: ClassVar[type[Message]]
    price = 0
    largest = 4

    def book(self, known: Booking | None, do: m.Book, now: float) -> Answer:
        """Book the places, or refuse them for good."""
        if known is None:
            free = do.places <= self.largest
            status = "BOOKED" if free else "FULL"
            known = self.made(order_id=do.order_id, status=status, places=do.places * free)
        if known.status in ("BOOKED", "CONFIRMED"):
            booked = self.booked(order_id=do.order_id, cents=known.places * self.price)
            return Answer((known,), (booked,))
        return Answer((known,), (self.refused(order_id=do.order_id, code=known.status.lower()),))

    def cancel(self, known: Booking | None, do: Message, now: float) -> Answer:
        """Free all places. What is stored makes a command that comes later a refused one."""
        cancelled = self.made(order_id=do.order_id, status="CANCELLED")
        return Answer((cancelled,), (self.cancelled(order_id=do.order_id),))

class Flights(Bookings):
    participant, entity, price = Participant("flights", topic="flight-events"), Flight, 20_000
    made = Flight
    booked, refused, cancelled = m.FlightBooked, m.FlightFull, m.FlightCancelled
    def confirm(self, known: Flight, do: m.ConfirmFlight, now: float) -> Answer:
        """Confirm a flight, which cannot be cancelled after that."""
        confirmed = replace(known, status="CONFIRMED")
        return Answer((confirmed,), (m.FlightConfirmed(order_id=do.order_id),))
    handlers = {m.BookFlight: Bookings.book, m.CancelFlight: Bookings.cancel,
                m.ConfirmFlight: confirm}

class Hotels(Bookings):
    participant, entity, price = Participant("hotels", topic="hotel-events"), Hotel, 9_000
    made = Hotel
    booked, refused, cancelled = m.HotelBooked, m.HotelFull, m.HotelCancelled
    handlers = {m.BookHotel: Bookings.book, m.CancelHotel: Bookings.cancel}

class Cars(Bookings):
    participant, entity, price = Participant("cars", topic="car-events"), Car, 15_000
    made = Car
    booked, refused, cancelled = m.CarBooked, m.NoCarFree, m.CarCancelled
    handlers = {m.BookCar: Bookings.book, m.CancelCar: Bookings.cancel}

class Insurer(Bookings):
    participant, entity, largest = Participant("insurer", topic="insurer-events"), Policy, 3
    made = Policy
    booked, refused, cancelled = m.PolicySigned, m.PolicyRefused, m.PolicyCancelled
    handlers = {m.SignPolicy: Bookings.book, m.CancelPolicy: Bookings.cancel}

class Desk(Service):
    """Sends tickets, and settles days."""
    participant, entity = Participant("desk", topic="desk-events"), Document
    handlers = {
        m.SendTicket: lambda _, known, do, now: Answer(
            (Document(order_id=do.order_id, receipt=do.receipt),),
            (m.TicketSent(order_id=do.order_id),)),
        m.SettleDay: lambda _, known, do, now: Answer(
            (Document(order_id=do.order_id),), (m.DaySettled(order_id=do.order_id),))}

class Bank:
    """A bank in memory. One over HTTP would send `key` as the idempotency key of each call."""
    def __init__(self) -> None:
        self.charges: dict[str, int] = {}
        self.refunds: dict[str, str] = {}
    def charge(self, key: str, card: str, cents: int) -> str:
        """Return the receipt, once for each key; empty if the card is declined."""
        return "" if card == "declined" else f"{self.charges.setdefault(key, cents)}/{key}"
    def refund(self, key: str, receipt: str) -> None:
        """Pay back the charge of the receipt, once for each key."""
        self.refunds.setdefault(key, receipt)

class Cards(EffectService):
    """Has cards charged by a bank. The key is the same however often a call is repeated."""
    participant, entity = Participant("cards", topic="card-events"), Charge
    do, done, failed = m.ChargeCard, m.CardCharged, m.CardDeclined
    undo, undone = m.RefundCard, m.CardRefunded
    @staticmethod
    def perform(client: Bank, command: m.ChargeCard, key: str) -> m.CardCharged | Declined:
        if receipt := client.charge(key, command.card, command.cents):
            return m.CardCharged(order_id=command.order_id, receipt=receipt, cents=command.cents)
        return Declined("declined", "the bank has declined")
    @staticmethod
    def take_back(client: Bank, command: m.RefundCard, done: m.CardCharged, key: str) -> None:
        client.refund(key, done.receipt)
