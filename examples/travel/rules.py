"""What has to be true of the stored data of each trip."""

# fmt: off
import json

from examples.travel import services as s
from order_sagas import Stored, rule


@rule("a ticket is sent for a paid and confirmed flight alone")
def paid_and_confirmed(order: Stored) -> str | None:
    flight, charge = order.entity(s.Flight), order.entity(s.Charge)
    if not order.entity(s.Document) or "book-trip" not in order.sagas:
        return None
    found = (flight and flight.status, charge and (charge.made, charge.undone))
    return None if found == ("CONFIRMED", (1, 0)) else f"they are {found}"

@rule("a cancelled trip keeps nothing", ended=True)
def keeps_nothing(order: Stored) -> str | None:
    if order.is_completed("book-trip"):
        return None
    found = [order.entity(kind) for kind in (s.Flight, s.Hotel, s.Car, s.Policy)]
    kept = [f"{each.places} of {each.table}" for each in found if each and each.places]
    charge = order.entity(s.Charge)
    return ", ".join([*kept, "money"] if charge and charge.made > charge.undone else kept) or None

@rule("the price of what is booked was charged", ended=True)
def price_is_charged(order: Stored) -> str | None:
    charge = order.entity(s.Charge)
    if not charge or not order.is_completed("book-trip"):
        return None
    found = [(order.entity(each.made), each.price) for each in (s.Flights, s.Hotels, s.Cars)]
    price = sum(booking.places * cents for booking, cents in found if booking)
    charged = json.loads(charge.result)["cents"]
    return None if charged == price else f"{charged}, not {price} cents"
