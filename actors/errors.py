"""The exceptions of the business layer."""

MOST_TEXT = 500
"""Maximum length of an error text, in characters. Some clients put a whole HTML page into theirs.
"""


def error_text(error: BaseException) -> str:
    """Type and message of an exception on one line, at most MOST_TEXT characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:MOST_TEXT] if text else type(error).__name__


class SagaError(Exception):
    """Base class of the errors of sagas and of their definitions."""


class DefinitionError(SagaError, ValueError):
    """A saga definition breaks a rule. The message names the step and the rule."""


class UnknownSagaError(SagaError, LookupError):
    """A stored saga has a definition, or a version of it, that is not registered here."""


class ReplyError(SagaError, LookupError):
    """A function of a definition read a reply that there is not. The message names the step."""


class CannotMoveError(SagaError):
    """A saga in flight cannot be moved to another version of its definition. Says why."""


class OrderConflictError(ValueError):
    """An order id was used again for an order with different content."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id!r} exists with other content")
        self.order_id = order_id

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.order_id,)
