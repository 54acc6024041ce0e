"""Why something that was asked for is not done. Each message is for people; nothing was sent."""

from bridges.errors import BridgeError


class OperationError(BridgeError):
    """What was asked for cannot be done; says why."""


class NoSuchSagaError(OperationError, LookupError):
    """The order has no such saga, or there is no such order."""


class NoSuchStepError(OperationError, LookupError):
    """The saga has no step of this name; tells those it has."""


class NotPossibleError(OperationError):
    """The saga is in no state for it: it has ended, is past its pivot, or nothing is stuck."""


class ReasonNeededError(OperationError, ValueError):
    """It is only done with a reason."""
