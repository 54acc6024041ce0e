"""Why an operation was refused. The messages are for people; nothing was appended to the log."""

from order_sagas.bridges.errors import BridgeError


class OperationError(BridgeError):
    """Base class of refused operations. The message says why."""


class NoSuchSagaError(OperationError, LookupError):
    """The order does not exist, or has no such saga."""


class NoSuchVersionError(OperationError, LookupError):
    """The version of the definition, or the mapping between two versions, is not registered."""


class NoSuchStepError(OperationError, LookupError):
    """The saga has no step of this name. The message lists its steps."""


class NoSuchMessageError(OperationError, LookupError):
    """The saga waits for no such message. The message lists those that it waits for."""


class NotPossibleError(OperationError):
    """The state of the saga does not allow it: ended, past its pivot, or no step is stuck."""

    def __init__(self, order_id: str, reason: str) -> None:
        super().__init__(f"order {order_id}: {reason}")
        self.order_id = order_id
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.order_id, self.reason)


class NoSuchTargetError(OperationError, LookupError):
    """No service of this name can be paused. The message lists those that can."""


class AlreadySoError(OperationError):
    """The service is already paused, or not paused; the action waits for no approval any more."""


class NoSuchActionError(OperationError, LookupError):
    """The log of operators' actions has no action of this number."""


class SamePersonError(OperationError):
    """An action has to be approved by another person than the one who asked for it."""


class ReasonNeededError(OperationError, ValueError):
    """The operation requires a reason."""
