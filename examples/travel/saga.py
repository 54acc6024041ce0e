"""The saga of a trip, that of its insurance, and the nightly settlement."""

# fmt: off
from examples.travel import messages as m
from examples.travel.services import Accounts, Cards, Cars, Desk, Flights, Hotels, Insurer
from order_sagas import Child, Parallel, Replies, Saga, Schedule, Step, Wait, hours, minutes

NEEDS_APPROVAL = 100_000  # cents, above which a person has to approve a trip


def price(replies: Replies) -> int:
    """The price of all that is booked, in cents."""
    return sum(booked.cents for booked in replies.all(m.PlacesBooked))


INSURE_TRIP = Saga("insure-trip", version=1, starts_on=m.InsuranceRequested, steps=[
    Step("sign policy", to=Insurer, within=minutes(1),
         do=lambda wanted: m.BookPlaces(order_id=wanted.order_id, places=wanted.travellers),
         done=m.PlacesBooked, failed=m.PlacesRefused, undo=m.FreePlaces, undone=m.PlacesFreed),
])

BOOK_TRIP = Saga("book-trip", version=1, starts_on=m.TripRequested, steps=[
    Parallel(
        Step("book flight", to=Flights, within=minutes(1),
             do=lambda trip: m.BookPlaces(order_id=trip.order_id, places=trip.travellers),
             done=m.PlacesBooked, failed=m.PlacesRefused, undo=m.FreePlaces, undone=m.PlacesFreed),
        Step("book hotel", to=Hotels, within=minutes(1), when=lambda trip: trip.nights > 0,
             do=lambda trip: m.BookPlaces(
                 order_id=trip.order_id, places=trip.travellers * trip.nights),
             done=m.PlacesBooked, failed=m.PlacesRefused, undo=m.FreePlaces, undone=m.PlacesFreed),
        Step("rent car", to=Cars, within=minutes(1), when=lambda trip: trip.car, do=m.BookPlaces,
             done=m.PlacesBooked, failed=m.PlacesRefused, undo=m.FreePlaces, undone=m.PlacesFreed),
    ),
    Wait("approval", for_=m.TripApproved, refused=m.TripRejected, within=hours(12),
         when=lambda trip, replies: price(replies) > NEEDS_APPROVAL),
    Step("charge card", to=Cards, within=minutes(2),
         do=lambda trip, replies: m.ChargeCard(
             order_id=trip.order_id, card=trip.card, cents=price(replies)),
         done=m.CardCharged, failed=m.CardDeclined, undo=m.RefundCard, undone=m.CardRefunded),
    Child("insurance", saga=INSURE_TRIP, within=hours(1), start=m.InsuranceRequested,
          when=lambda trip: trip.insured),
    Step("confirm flight", to=Flights, within=minutes(1), pivot=True,
         do=m.ConfirmFlight, done=m.FlightConfirmed),
    Step("send ticket", to=Desk, within=minutes(1), done=m.TicketSent,
         do=lambda trip, replies: m.SendTicket(
             order_id=trip.order_id, receipt=replies[m.CardCharged].receipt)),
])

SETTLE_DAY = Saga("settle-day", version=1, starts_on=m.SettlementDue, steps=[
    Step("settle", to=Accounts, within=minutes(10), needs_no_undo=True,
         do=m.SettleDay, done=m.DaySettled),
])
NIGHTLY = Schedule("settlement", cron="0 2 * * *", timezone="Europe/Berlin",
                   start=lambda due: m.SettlementDue(order_id=due.id))
