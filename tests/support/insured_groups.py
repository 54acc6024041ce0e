"""An app whose saga runs a child saga for each item: a trip, and an insurance for each person."""

import random

from order_sagas import App, Each, Saga, Stored, minutes, rule
from order_sagas.actors.sagas.child import Child
from tests.support.insured_trips import (
    BOOK,
    CONFIRM,
    INSURE_TRIP,
    SERVICES,
    InsuranceWanted,
    Paper,
    TripPlanned,
)

REFUSED = "!"
"""The end of the id of an insurance that is refused."""


def people(trip: TripPlanned) -> list[str]:
    """The order ids of the insurances of a trip, which are separated by commas."""
    return [each for each in trip.insurance.split(",") if each]


def wanted_for(trip: TripPlanned, person: str) -> InsuranceWanted:
    """The start of the insurance of one person."""
    return InsuranceWanted(order_id=person, refuse="filed" if person.endswith(REFUSED) else "")


INSURE_ONE = Child[TripPlanned, str]("insure", saga=INSURE_TRIP, start=wanted_for)
AT_ONCE = Saga(
    "book-trip",
    version=1,
    starts_on=TripPlanned,
    steps=[BOOK, Each("insure all", over=people, step=INSURE_ONE), CONFIRM],
)
IN_ORDER = Saga(
    "book-trip",
    version=1,
    starts_on=TripPlanned,
    steps=[BOOK, Each("insure all", over=people, step=INSURE_ONE, in_order=True), CONFIRM],
)
HURRIED = Saga(
    "book-trip",
    version=1,
    starts_on=TripPlanned,
    steps=[
        BOOK,
        Each(
            "insure all",
            over=people,
            step=Child[TripPlanned, str](
                "insure", saga=INSURE_TRIP, start=wanted_for, within=minutes(10)
            ),
        ),
        CONFIRM,
    ],
)
"""A saga whose children have a deadline of ten minutes."""


@rule("what is cancelled is undone", ended=True)
def undone_whole(order: Stored) -> str | None:
    """A saga that does not undo children that have completed."""
    paper, (saga,) = order.entity(Paper), order.sagas.values()
    done, undone = (paper.done, paper.undone) if paper else (0, 0)
    if order.is_completed(saga.saga):
        return None if (2, 0) == (done, undone) else f"{done} of 2 are done, {undone} undone"
    return None if done == undone else f"{done} are done, {undone} undone"


def sample(rng: random.Random, order_id: str) -> TripPlanned:
    """The start of a random trip; some insurances fail, and some trips at their last step."""
    names = [f"{order_id}.{n}{rng.choice(('', '', '', '', REFUSED))}" for n in range(4)]
    refuse = rng.choice(("", "", "confirmed"))
    insurance = ",".join(names[: rng.randint(0, 4)])
    return TripPlanned(order_id=order_id, insurance=insurance, refuse=refuse)


def an_app(saga: Saga[TripPlanned]) -> App:
    """Return the app with one of the sagas above."""
    return App(sagas=[saga, INSURE_TRIP], services=SERVICES, rules=[undone_whole], sample=sample)
