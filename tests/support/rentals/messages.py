"""The messages of a rental."""

from order_sagas import Failed, Message


class RentalRequested(Message):
    """Starts the saga. `deposit` is in cents."""

    car: str = ""
    days: int = 1
    deposit: int = 0


class RentalApproved(Message):
    """Lets a long rental go on."""

    by_whom: str = ""


class RentalRejected(Failed):
    """Ends a long rental."""


class ReserveCar(Message):
    """A command to the service of cars."""

    car: str = ""


class CarReserved(Message):
    """The car is kept for the order."""


class NoSuchCar(Failed):
    """The car is not for rent."""


class ReleaseCar(Message):
    """Undoes ReserveCar."""


class CarReleased(Message):
    """The car is free again."""


class TakeDeposit(Message):
    """A command to the service of deposits."""

    cents: int = 0


class DepositTaken(Message):
    """The bank has blocked the amount."""

    receipt: str = ""


class DepositRefused(Failed):
    """The bank has declined."""


class ReturnDeposit(Message):
    """Undoes TakeDeposit."""


class DepositReturned(Message):
    """The amount is free again."""


class HandOverKeys(Message):
    """A command to the desk, which runs elsewhere."""

    car: str = ""


class KeysHandedOver(Message):
    """The customer drives."""


class AskForApproval(Message):
    """The reminder that somebody has to approve the rental."""
