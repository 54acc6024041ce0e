"""The services of a trip. Each answers a repeated command again, and remembers what was undone."""

# ruff: noqa: E701, E702, I001 - short declarations are easier to read as a list
# fmt: off
from typing import ClassVar

from msgspec.structs import replace

from examples.travel import messages as m
from order_sagas import (
    Answer, Declined, Effect, EffectService, LocalEffect, LocalEffectService, Participant,
)


class Booking(LocalEffect): places: int = 0; cents: int = 0
class Flight(Booking): table = "flight_bookings"
class Hotel(Booking): table = "hotel_bookings"
class Car(Booking): table = "car_bookings"
class Policy(Booking): table = "travel_policies"
class Ticket(LocalEffect): table = "travel_tickets"; receipt: str = ""
class Settlement(LocalEffect): table = "travel_settlements"
class Charge(Effect): table = "travel_charges"


class Bookings(LocalEffectService):
    """Keeps places for orders: the base of four services. `price` is in cents for each place."""
    entity: ClassVar[type[Booking]]
    do, done, failed = m.BookPlaces, m.PlacesBooked, m.PlacesRefused
    undo, undone = m.FreePlaces, m.PlacesFreed
    price, largest = 0, 4

    def make(self, command: m.BookPlaces) -> Booking | Declined:
        if command.places > self.largest:
            return Declined("full", f"there are {self.largest} places")
        cents = command.places * self.price
        return self.entity(order_id=command.order_id, places=command.places, cents=cents)

class Flights(Bookings):
    participant, entity, price = Participant("flights", topic="flight-events"), Flight, 20_000

    def confirm(self, known: Flight, command: m.ConfirmFlight, now: float) -> Answer:
        confirmed = replace(known, status="CONFIRMED")
        return Answer((confirmed,), (m.FlightConfirmed(order_id=command.order_id),))

    handlers = {m.ConfirmFlight: confirm}

class Hotels(Bookings):
    participant, entity, price = Participant("hotels", topic="hotel-events"), Hotel, 9_000

class Cars(Bookings):
    participant, entity, price = Participant("cars", topic="car-events"), Car, 15_000

class Insurer(Bookings):
    participant, entity, largest = Participant("insurer", topic="insurer-events"), Policy, 3

class Desk(LocalEffectService):
    participant, entity = Participant("desk", topic="desk-events"), Ticket
    do, done = m.SendTicket, m.TicketSent

class Accounts(LocalEffectService):
    participant, entity = Participant("accounts", topic="account-events"), Settlement
    do, done = m.SettleDay, m.DaySettled


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
