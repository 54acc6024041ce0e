"""Messages of a definition that are named by their class: made from the fields of the start."""

from typing import Any

import msgspec

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Failed, Message

_ENVELOPE = frozenset(Message.__struct_fields__)


class SameFields:
    """Makes a message of a class from the start: the order id, and the fields of the same names.

    Other fields keep their defaults. In a notice, the code and reason are those of the failure. The
    fields that say how a message travels are never copied.
    """

    __slots__ = ("_copied", "message")

    def __init__(self, message: type[Message]) -> None:
        self.message = message
        self._copied: dict[type[Message], tuple[str, ...]] = {}

    def __call__(self, start: Any, *failure: Any) -> Message:
        """Return the message."""
        kind = type(start)
        copied = self._copied.get(kind)
        if copied is None:
            shared = set(self.message.__struct_fields__) & set(kind.__struct_fields__) - _ENVELOPE
            copied = self._copied[kind] = tuple(shared)
        fields = {name: getattr(start, name) for name in copied}
        if failure and issubclass(self.message, Failed):
            fields |= {"code": failure[0].code, "reason": failure[0].reason}
        return self.message(order_id=start.order_id, **fields)

    def check(self, start: type[Message], what: str, *, of_notice: bool = False) -> None:
        """Raise DefinitionError, which begins with `what`, if a field cannot be copied."""
        given = ("code", "reason") if of_notice and issubclass(self.message, Failed) else ()
        known = {field.name: field for field in msgspec.structs.fields(start)}
        for field in msgspec.structs.fields(self.message):
            name, source = field.name, known.get(field.name)
            if name in _ENVELOPE or name in given:
                continue
            if source is None and field.required:
                raise DefinitionError(
                    f"{what} is the class {self.message.__name__}, whose field {name!r} has no "
                    f"default, and {start.__name__} has no such field; write a function"
                )
            if source is not None and source.type != field.type:
                raise DefinitionError(
                    f"{what} is the class {self.message.__name__}, whose field {name!r} has "
                    f"another type than that of {start.__name__}; write a function"
                )


def function_of(given: Any) -> Any:
    """Return a function as it is, and for a message class one that makes it; for attrs."""
    if isinstance(given, type) and issubclass(given, Message):
        return SameFields(given)
    return given
