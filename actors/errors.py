"""The errors of the business layer."""

MOST_TEXT = 500
"""Characters of an error that are kept: some clients raise the whole page that a server sent."""


def error_text(error: BaseException) -> str:
    """Type and text of an exception, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:MOST_TEXT] if text else type(error).__name__


class SagaError(Exception):
    """Something is wrong with a saga or its definition."""


class DefinitionError(SagaError, ValueError):
    """A saga's definition breaks a rule of sagas; says which row and which rule."""


class UnknownSagaError(SagaError, LookupError):
    """A stored saga names a definition, or a version of it, that is not registered here."""


class OrderConflictError(ValueError):
    """An order id came again with other content than the first time."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id!r} exists with other content")
        self.order_id = order_id

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.order_id,)
