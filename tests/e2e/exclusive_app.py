"""An app whose sagas run one after the other: each waits for a person, holding a lock."""

from examples.travel import messages as m
from examples.travel.saga import INSURE_TRIP
from examples.travel.services import Insurer
from order_sagas import App, Child, Saga, Wait, hours

APPROVE_TRIP: Saga[m.TripRequested] = Saga(
    "approve-trip",
    version=1,
    starts_on=m.TripRequested,
    exclusive=lambda trip: trip.card,
    steps=[
        Wait("approval", for_=m.TripApproved, refused=m.TripRejected, within=hours(12)),
        Child("insurance", saga=INSURE_TRIP, within=hours(1), start=m.InsuranceRequested),
    ],
)

APP = App(sagas=[APPROVE_TRIP, INSURE_TRIP], services=[Insurer])
