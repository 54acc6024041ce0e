"""The saga of a rental, and the app."""

import random

from order_sagas import App, Remind, Saga, Step, Wait, days, hours, seconds
from order_sagas.system.settings import Settings
from tests.support.rentals import messages as m
from tests.support.rentals.services import DESK, Bank, Cars, Deposits

RENT_CAR = Saga(
    "rent-car",
    version=1,
    starts_on=m.RentalRequested,
    steps=[
        Wait(
            "approve long rental",
            for_=m.RentalApproved,
            refused=m.RentalRejected,
            within=days(2),
            when=lambda rental: rental.days > 30,
            remind=Remind(every=hours(8), to=DESK, send=m.AskForApproval),
        ),
        Step(
            "reserve car",
            to=Cars.participant,
            do=lambda rental: m.ReserveCar(order_id=rental.order_id, car=rental.car),
            done=m.CarReserved,
            failed=m.NoSuchCar,
            within=seconds(10),
            undo=lambda rental: m.ReleaseCar(order_id=rental.order_id),
            undone=m.CarReleased,
        ),
        Step(
            "take deposit",
            to=Deposits.participant,
            do=lambda rental: m.TakeDeposit(order_id=rental.order_id, cents=rental.deposit),
            done=m.DepositTaken,
            failed=m.DepositRefused,
            within=seconds(30),
            undo=lambda rental: m.ReturnDeposit(order_id=rental.order_id),
            undone=m.DepositReturned,
        ),
        Step(
            "hand over keys",
            to=DESK,
            do=lambda rental: m.HandOverKeys(order_id=rental.order_id, car=rental.car),
            done=m.KeysHandedOver,
            within=hours(2),
            pivot=True,
        ),
    ],
)


def bank(settings: Settings) -> Bank:
    """Return the client of the deposits."""
    return Bank()


def sample(rng: random.Random, order_id: str) -> m.RentalRequested:
    """Return a rental for a simulation: some are long, some of no car that there is."""
    return m.RentalRequested(
        order_id=order_id,
        car=rng.choice(("van", "van", "sedan", "tank")),
        days=rng.choice((1, 3, 60)),
        deposit=rng.choice((100, 500, 1001)),
    )


APP = App(sagas=[RENT_CAR], services=[Cars, Deposits], clients={"deposits": bank}, sample=sample)
