"""The services of a rental that run in the app."""

from msgspec.structs import replace

from order_sagas import Answer, Declined, Effect, EffectService, Entity, Participant, Service
from tests.support.rentals.messages import (
    AskForApproval,
    CarReleased,
    CarReserved,
    DepositRefused,
    DepositReturned,
    DepositTaken,
    HandOverKeys,
    NoSuchCar,
    ReleaseCar,
    ReserveCar,
    ReturnDeposit,
    TakeDeposit,
)

DESK = Participant("desk", topic="desk-events", remote=[HandOverKeys, AskForApproval])
FOR_RENT = ("van", "sedan")


class RentedCar(Entity):
    """The car of an order."""

    table = "rented_cars"
    order_id: str
    status: str
    car: str = ""


class Deposit(Effect):
    """The deposit of an order."""

    table = "rental_deposits"


class Cars(Service):
    """Keeps cars for orders."""

    participant, entity = Participant("cars", topic="car-events"), RentedCar

    def reserve(self, known: RentedCar | None, do: ReserveCar, now: float) -> Answer:
        """Keep the car, or refuse it."""
        status = "KEPT" if do.car in FOR_RENT else "REFUSED"
        car = known or RentedCar(order_id=do.order_id, status=status, car=do.car)
        if car.status == "KEPT":
            return Answer((car,), (CarReserved(order_id=do.order_id),))
        refusal = NoSuchCar(order_id=do.order_id, code="no_such_car", reason=f"no {do.car}")
        return Answer((car,), (refusal,))

    def release(self, known: RentedCar | None, do: ReleaseCar, now: float) -> Answer:
        """Free the car; a later ReserveCar is refused."""
        car = known or RentedCar(order_id=do.order_id, status="")
        return Answer((replace(car, status="FREE"),), (CarReleased(order_id=do.order_id),))

    handlers = {ReserveCar: reserve, ReleaseCar: release}


class Bank:
    """Stands for the client of another system. Declines what is above 1000."""

    opened: list["Bank"] = []
    """Every client that was made, in order."""

    def __init__(self) -> None:
        self.closed = 0
        self.opened.append(self)

    def block(self, key: str, cents: int) -> str:
        """Return a receipt, empty if the bank declines."""
        return "" if cents > 1000 else f"receipt {key}"

    def close(self) -> None:
        """Close it."""
        self.closed += 1


class Deposits(EffectService):
    """Has deposits blocked by a bank."""

    participant, entity = Participant("deposits", topic="deposit-events", role="money"), Deposit
    do, done, failed = TakeDeposit, DepositTaken, DepositRefused
    undo, undone = ReturnDeposit, DepositReturned

    @staticmethod
    def perform(client: Bank, command: TakeDeposit, key: str) -> DepositTaken | Declined:
        """Block the amount."""
        receipt = client.block(key, command.cents)
        if not receipt:
            return Declined("too_much", "the bank has declined")
        return DepositTaken(order_id=command.order_id, receipt=receipt)

    @staticmethod
    def take_back(client: Bank, command: ReturnDeposit, done: DepositTaken, key: str) -> None:
        """Free the amount."""
