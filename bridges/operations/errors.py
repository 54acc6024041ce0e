"""Why something that was asked for is not done. Each message is for people; nothing was sent."""

from order_sagas.bridges.errors import BridgeError


class OperationError(BridgeError):
    """What was asked for cannot be done; says why."""


class NoSuchSagaError(OperationError, LookupError):
    """The order has no such saga, or there is no such order."""


class NoSuchStepError(OperationError, LookupError):
    """The saga has no step of this name; tells those it has."""


class NotPossibleError(OperationError):
    """The saga is in no state for it: it has ended, is past its pivot, or nothing is stuck."""

    def __init__(self, order_id: str, reason: str) -> None:
        super().__init__(f"order {order_id}: {reason}")
        self.order_id = order_id
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.order_id, self.reason)


class NoSuchTargetError(OperationError, LookupError):
    """There is no service of this name to pause; tells those there are."""


class AlreadySoError(OperationError):
    """It is paused, or it works, as it is."""


class ReasonNeededError(OperationError, ValueError):
    """It is only done with a reason."""
