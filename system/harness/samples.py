"""Random messages of a class, for simulated starts and signals."""

import datetime
import random
import string
import types
import typing
import uuid
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message

STAMPED = frozenset(Message.__struct_fields__)
"""The fields that the system sets."""
DAY = 86_400
PLAIN: dict[type, Callable[[random.Random], Any]] = {
    bool: lambda rng: rng.random() < 0.5,
    int: lambda rng: rng.randint(1, 10),
    float: lambda rng: round(rng.uniform(0, 100), 2),
    str: lambda rng: rng.choice(string.ascii_uppercase) + str(rng.randint(1, 9)),
    bytes: lambda rng: rng.randbytes(4),
    Decimal: lambda rng: Decimal(rng.randint(1, 10_000)) / 100,
    uuid.UUID: lambda rng: uuid.UUID(int=rng.getrandbits(128)),
    datetime.datetime: lambda rng: datetime.datetime.fromtimestamp(
        rng.randint(1, 365 * DAY), datetime.UTC
    ),
    datetime.date: lambda rng: datetime.date(1970, rng.randint(1, 12), rng.randint(1, 28)),
    datetime.time: lambda rng: datetime.time(rng.randrange(24), rng.randrange(60)),
    datetime.timedelta: lambda rng: datetime.timedelta(seconds=rng.randint(1, DAY)),
}
"""What makes a value of a type. A type that is not here is looked for by its base classes."""


def sample_of(kind: type[Message], rng: random.Random, order_id: str) -> Message:
    """Return a message with random fields, as its types and their bounds allow.

    A field of which no sample can be made has its default. Raises DefinitionError if it has none.
    """
    return kind(order_id=order_id, **_fields(kind, rng, kind.__name__))


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


def _fields(kind: type[msgspec.Struct], rng: random.Random, place: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if issubclass(kind, Message) and field.name in STAMPED:
            continue
        try:
            value = _value(field.type, rng, f"{place}.{field.name}")
            msgspec.json.decode(msgspec.json.encode(value), type=field.type)
            made[field.name] = value
        except DefinitionError:
            if field.required:
                raise
        except msgspec.ValidationError as error:
            if field.required:
                raise _impossible(f"{place}.{field.name}", str(error)) from None
    return made


def _impossible(place: str, why: str) -> DefinitionError:
    return DefinitionError(
        f"no sample of {place} can be made: {why}; give the field a default, or the app a "
        "`sample`, which makes the messages that start sagas"
    )


def _value(hint: Any, rng: random.Random, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        value = _value(arguments[0], rng, place)
        for note in arguments[1:]:
            value = _bounded(value, note) if isinstance(note, msgspec.Meta) else value
        return value
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


def _bounded(value: Any, bounds: msgspec.Meta) -> Any:
    """Return the value, or one near it that is within the bounds. A pattern is not looked at."""
    if isinstance(value, str):
        return value.ljust(bounds.min_length or 0, "0")[: bounds.max_length]
    if isinstance(value, int | float):
        low = bounds.ge if bounds.ge is not None else bounds.gt
        high = bounds.le if bounds.le is not None else bounds.lt
        if low is not None and value <= low:
            value = type(value)(low) + value
        if high is not None and value >= high:
            value = type(value)(high - value if low is None else (low + high) / 2)
    return value


def _plain(hint: Any, rng: random.Random, place: str) -> Any:
    if hint in (None, type(None)):
        return None
    if isinstance(hint, type):
        if issubclass(hint, Enum):
            return rng.choice(list(hint))
        if issubclass(hint, msgspec.Struct):
            return hint(**_fields(hint, rng, place))
        for base in hint.__mro__:
            if base in PLAIN:
                return PLAIN[base](rng)
    raise _impossible(place, f"its type is {hint}")
