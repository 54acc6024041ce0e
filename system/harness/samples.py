"""Random messages of a class, for simulated starts and signals."""

import random
import string
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message

STAMPED = frozenset(Message.__struct_fields__)
"""The fields that the system sets."""


def sample_of(kind: type[Message], rng: random.Random, order_id: str) -> Message:
    """Return a message with random fields, as its types allow.

    Raises DefinitionError for a field of a type that it cannot make; give the app a `sample` then.
    """
    fields = {
        field.name: _value(field.type, rng, f"{kind.__name__}.{field.name}")
        for field in msgspec.structs.fields(kind)
        if field.name not in STAMPED
    }
    return kind(order_id=order_id, **fields)


def with_key_of(other: Message, start: Message, exclusive: Callable[[Any], str]) -> Message:
    """Return a start message with the key of another one, so that their sagas meet.

    It takes over those fields on which the key depends. If the key depends on the order id, the
    message is returned as it is.
    """
    met = start
    for name in type(start).__struct_fields__:
        if name not in STAMPED:
            changed = msgspec.structs.replace(met, **{name: getattr(other, name)})
            if exclusive(changed) != exclusive(met):
                met = changed
    return met if exclusive(met) == exclusive(other) else start


def _value(hint: Any, rng: random.Random, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _value(arguments[0], rng, place)
    if origin is typing.Literal:
        return rng.choice(arguments)
    if origin in (typing.Union, types.UnionType):
        return _value(rng.choice(arguments), rng, place)
    if origin in (tuple, list, set, frozenset):
        items = arguments[:1] if Ellipsis in arguments or origin is not tuple else arguments
        count = rng.randint(1, 3) if len(items) == 1 else 1
        return origin(_value(item, rng, place) for _ in range(count) for item in items)
    if origin is dict:
        return {_value(arguments[0], rng, place): _value(arguments[1], rng, place)}
    return _plain(hint, rng, place)


def _plain(hint: Any, rng: random.Random, place: str) -> Any:
    if hint in (None, type(None)):
        return None
    if isinstance(hint, type):
        if issubclass(hint, Enum):
            return rng.choice(list(hint))
        if issubclass(hint, bool):
            return rng.random() < 0.5
        if issubclass(hint, int):
            return rng.randint(1, 10)
        if issubclass(hint, float):
            return round(rng.uniform(0, 100), 2)
        if issubclass(hint, str):
            return rng.choice(string.ascii_uppercase) + str(rng.randint(1, 9))
        if issubclass(hint, msgspec.Struct):
            return hint(
                **{
                    field.name: _value(field.type, rng, f"{place}.{field.name}")
                    for field in msgspec.structs.fields(hint)
                }
            )
    raise DefinitionError(
        f"{place} has the type {hint}, of which no sample can be made; give the app a `sample`"
    )
