"""Messages as people and other systems give them: the fields of one class, checked, as JSON.

Unlike records, which may come from newer programs, they may have no unknown fields: a typo in the
name of an optional field must not be lost silently.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from order_sagas.actors.messages import Message, status
from order_sagas.bridges.errors import BridgeError, UnreadableRecordError
from order_sagas.bridges.intake.order_schema import Id
from order_sagas.bridges.records.codec import MessageCodec

M = TypeVar("M", bound=Message)

ENVELOPE = frozenset(
    {"eventId", "sagaId", "step", "attempt", "causationId", "occurredAt", "schemaVersion"}
)
"""Fields that the system sets."""
TRACE = frozenset({"traceparent", "tracestate"})
"""Fields of the trace context, which may be given although the message class has no such fields."""


class InvalidMessageError(BridgeError, ValueError):
    """The input is no valid message. The message names the field, if one is meant.

    `field` is its path, as in `lines[0].quantity`; empty if the whole message is meant.
    """

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.problem = problem
        self.field = field

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.problem, self.field)


def read_message(kind: type[M], fields: Any) -> M:
    """Return the message of these camelCase fields. Raises InvalidMessageError.

    `status` may be given, if it is that of the class. The fields of ENVELOPE may not.
    """
    if not isinstance(fields, Mapping):
        raise InvalidMessageError(f"expected a JSON object with the fields of {status(kind)}")
    given = {str(name): value for name, value in fields.items()}
    if given.pop("status", status(kind)) != status(kind):
        raise InvalidMessageError(f"it has to be {status(kind)}, or to be left out", "status")
    for name in given:
        if name in ENVELOPE:
            raise InvalidMessageError("it is set by the system, so it cannot be given", name)
    for path, known in _unknown(given, inspect.type_info(kind), ""):
        raise InvalidMessageError(f"there is no such field; there are {known}", path)
    try:
        message = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        text = text[:1].lower() + text[1:].replace("`", "")
        raise InvalidMessageError(text, path.rstrip("`").lstrip(".")) from None
    try:
        msgspec.convert(message.order_id, Id)
    except msgspec.ValidationError:
        raise InvalidMessageError(
            "expected text of 1 to 200 characters, without spaces around it or line breaks",
            "orderId",
        ) from None
    try:
        MessageCodec([kind]).decode_value(msgspec.json.encode(message))
    except UnreadableRecordError as error:
        raise InvalidMessageError(str(error)) from None
    return message


def _unknown(value: Any, kind: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each unknown field, with the names that are known there."""
    if isinstance(kind, inspect.UnionType):
        structs = [each for each in kind.types if isinstance(each, inspect.StructType)]
        if len(structs) == 1 and isinstance(value, Mapping):
            yield from _unknown(value, structs[0], path)
        lists = [each for each in kind.types if isinstance(each, inspect.CollectionType)]
        if len(lists) == 1 and isinstance(value, list):
            yield from _unknown(value, lists[0], path)
    elif isinstance(kind, inspect.Metadata):
        yield from _unknown(value, kind.type, path)
    elif isinstance(kind, inspect.StructType) and isinstance(value, Mapping):
        fields = {field.encode_name: field.type for field in kind.fields}
        for name, inner in value.items():
            at = f"{path}.{name}" if path else str(name)
            if name in fields:
                yield from _unknown(inner, fields[name], at)
            elif name != kind.tag_field:
                hidden = frozenset[str]() if path else ENVELOPE | TRACE
                yield at, ", ".join(name for name in fields if name not in hidden)
    elif isinstance(kind, inspect.CollectionType) and isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _unknown(inner, kind.item_type, f"{path}[{i}]")
    elif isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _unknown(inner, kind.value_type, f"{path}.{name}")
