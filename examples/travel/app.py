"""The app: `order-sagas start --app examples.travel.app:APP`."""

# fmt: off
import random

from examples.travel import rules, saga, services
from examples.travel.messages import TripRequested
from order_sagas import App


def sample(rng: random.Random, order_id: str) -> TripRequested:
    """A trip for a simulation; some need approval, and some are refused by each of the services."""
    return TripRequested(
        order_id=order_id, travellers=rng.randint(1, 5), nights=rng.randint(0, 2),
        car=rng.random() < 0.5, insured=rng.random() < 0.5,
        card=rng.choice(("4242", "4242", "4242", "declined")))


APP = App(
    sagas=[saga.BOOK_TRIP, saga.INSURE_TRIP, saga.SETTLE_DAY],
    services=[services.Flights, services.Hotels, services.Cars, services.Insurer,
              services.Cards, services.Desk, services.Accounts],
    clients={"cards": lambda settings: services.Bank()},
    simulated_clients={"cards": lambda settings: services.Bank()},
    schedules=[saga.NIGHTLY],
    rules=[rules.paid_and_confirmed, rules.keeps_nothing, rules.price_is_charged],
    sample=sample,
)
