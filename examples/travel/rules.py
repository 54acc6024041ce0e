"""What has to be true of the stored data of each trip."""

# fmt: off
import json

from examples.travel import services as s
from order_sagas import Stored, rule


def booked(order: Stored, *kinds: type[s.Booking]) -> list[s.Booking]:
    """What is booked for the order."""
    return [found for kind in kinds if (found := order.entity(kind)) and found.places]

def paid(order: Stored) -> int:
    """The cents that were charged and not refunded."""
    charge = order.entity(s.Charge)
    return json.loads(charge.result)["cents"] if charge and charge.made > charge.undone else 0

@rule("a ticket is sent for a paid and confirmed flight alone")
def paid_and_confirmed(order: Stored) -> str | None:
    flight = order.entity(s.Flight)
    well = flight and flight.status == "CONFIRMED" and paid(order)
    return f"{flight} is not, or not paid" if order.entity(s.Ticket) and not well else None

@rule("a cancelled trip keeps nothing", ended=True)
def keeps_nothing(order: Stored) -> str | None:
    kept = booked(order, s.Flight, s.Hotel, s.Car, s.Policy)
    if order.is_completed("book-trip") or not (kept or paid(order)):
        return None
    return f"it keeps {kept}, and {paid(order)} cents"

@rule("the price of what is booked was charged", ended=True)
def price_is_charged(order: Stored) -> str | None:
    price = sum(each.cents for each in booked(order, s.Flight, s.Hotel, s.Car))
    return None if paid(order) == price else f"{paid(order)}, not {price} cents"
