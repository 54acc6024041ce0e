"""The saga of a trip, that of its insurance, and the nightly settlement."""

# ruff: noqa: I001
# fmt: off
from examples.travel import messages as m
from examples.travel.services import Cards, Cars, Desk, Flights, Hotels, Insurer
from order_sagas import (
    Child, Parallel, Replies, Saga, Schedule, Step, Wait, hours, minutes, seconds,
)

NEEDS_APPROVAL = 100_000
"""Cents above which a person has to approve a trip."""


def price(replies: Replies) -> int:
    """The price of all that is booked, in cents."""
    found = (replies.get(kind) for kind in (m.FlightBooked, m.HotelBooked, m.CarBooked))
    return sum(booked.cents for booked in found if booked)


INSURE_TRIP = Saga("insure-trip", version=1, starts_on=m.InsuranceRequested, steps=[
    Step("sign policy", to=Insurer.participant, within=seconds(30),
         do=lambda i: m.SignPolicy(order_id=i.order_id, places=i.travellers),
         done=m.PolicySigned, failed=m.PolicyRefused,
         undo=lambda i: m.CancelPolicy(order_id=i.order_id), undone=m.PolicyCancelled),
])

BOOK_TRIP = Saga("book-trip", version=1, starts_on=m.TripRequested, steps=[
    Parallel(
        Step("book flight", to=Flights.participant, within=minutes(1),
             do=lambda trip: m.BookFlight(order_id=trip.order_id, places=trip.travellers),
             done=m.FlightBooked, failed=m.FlightFull,
             undo=lambda trip: m.CancelFlight(order_id=trip.order_id), undone=m.FlightCancelled),
        Step("book hotel", to=Hotels.participant, within=minutes(1),
             when=lambda trip: trip.nights > 0,
             do=lambda trip: m.BookHotel(
                 order_id=trip.order_id, places=trip.travellers * trip.nights),
             done=m.HotelBooked, failed=m.HotelFull,
             undo=lambda trip: m.CancelHotel(order_id=trip.order_id), undone=m.HotelCancelled),
        Step("rent car", to=Cars.participant, within=minutes(1), when=lambda trip: trip.car,
             do=lambda trip: m.BookCar(order_id=trip.order_id),
             done=m.CarBooked, failed=m.NoCarFree,
             undo=lambda trip: m.CancelCar(order_id=trip.order_id), undone=m.CarCancelled),
    ),
    Wait("approval", for_=m.TripApproved, refused=m.TripRejected, within=hours(12),
         when=lambda trip, replies: price(replies) > NEEDS_APPROVAL),
    Step("charge card", to=Cards.participant, within=minutes(2),
         do=lambda trip, replies: m.ChargeCard(
             order_id=trip.order_id, card=trip.card, cents=price(replies)),
         done=m.CardCharged, failed=m.CardDeclined,
         undo=lambda trip: m.RefundCard(order_id=trip.order_id), undone=m.CardRefunded),
    Child("insurance", saga=INSURE_TRIP, when=lambda trip: trip.insured, within=hours(1),
          start=lambda trip: m.InsuranceRequested(
              order_id=trip.order_id, travellers=trip.travellers)),
    Step("confirm flight", to=Flights.participant, within=minutes(1), pivot=True,
         do=lambda trip: m.ConfirmFlight(order_id=trip.order_id), done=m.FlightConfirmed),
    Step("send ticket", to=Desk.participant, within=minutes(1),
         do=lambda trip, replies: m.SendTicket(
             order_id=trip.order_id, receipt=replies[m.CardCharged].receipt),
         done=m.TicketSent),
])

SETTLE_DAY = Saga("settle-day", version=1, starts_on=m.SettlementDue, steps=[
    Step("settle", to=Desk.participant, within=minutes(10), needs_no_undo=True,
         do=lambda day: m.SettleDay(order_id=day.order_id), done=m.DaySettled),
])
NIGHTLY = Schedule("settlement", cron="0 2 * * *", timezone="Europe/Berlin",
                   start=lambda due: m.SettlementDue(order_id=due.id))
