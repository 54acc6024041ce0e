"""JSON Schemas of messages, made from their classes."""

import types
import typing
from collections.abc import Sequence
from typing import Any

import msgspec

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message, status

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_components(
    messages: Sequence[type[Message]], template: str = "#/$defs/{name}"
) -> dict[str, Any]:
    """Return the schemas of these classes and of all that they contain, by class name.

    `template` is how one refers to another. Raises DefinitionError for a field whose type has no
    JSON Schema.
    """
    try:
        _, found = msgspec.json.schema_components(messages, ref_template=template)
    except TypeError as error:
        raise DefinitionError(f"the messages have no JSON Schema: {error}") from None
    plain: dict[str, Any] = plain_patterns(found)
    return plain


def json_schema(messages: Sequence[type[Message]]) -> dict[str, Any]:
    """Return one schema, for a record with any of these messages. Raises DefinitionError."""
    mapping = {status(each): f"#/$defs/{each.__name__}" for each in messages}
    refs = [{"$ref": ref} for ref in mapping.values()]
    chosen: dict[str, Any] = refs[0] if len(refs) == 1 else {"oneOf": refs}
    return {"$schema": DRAFT, **chosen, "$defs": schema_components(messages)}


def type_text(kind: Any) -> str:
    """Return a type as it is written, without module names and constraints."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return type_text(parts[0])
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(each) for each in parts)}]"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_text(each) for each in parts)
    if kind in (None, types.NoneType, ...):
        return "..." if kind is ... else "None"
    name = str(getattr(origin or kind, "__name__", kind))
    return f"{name}[{', '.join(type_text(each) for each in parts)}]" if parts else name


def plain_patterns(value: Any) -> Any:
    r"""Replace `\A` and `\Z` in patterns by `^` and `$`: JSON Schema uses JavaScript's syntax."""
    if isinstance(value, dict):
        plain = {name: plain_patterns(each) for name, each in value.items()}
        if isinstance(plain.get("pattern"), str):
            plain["pattern"] = plain["pattern"].replace(r"\A", "^").replace(r"\Z", "$")
        return plain
    return [plain_patterns(each) for each in value] if isinstance(value, list | tuple) else value
