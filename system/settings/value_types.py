"""Types of setting values: each parses text or TOML values, and describes what it accepts.

A reader gets text (from a flag or the environment) or a TOML value (text, number, boolean, list).
It returns the parsed value or raises ValueError; the caller adds the setting's name.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from order_sagas.actors.money import amount_of, money
from order_sagas.system.settings.parsing import (
    either,
    filled_text,
    integer_of,
    measured,
    names_of,
    number_of,
    one_of,
    text_of,
    within,
)

MASK = "***"


@attrs.frozen
class Kind:
    """The type of a setting: parser, formatter, and a description of accepted values."""

    accepts: str
    read: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    mask: Callable[[str], str] | None = None
    """Removes secrets from a value, even an invalid one; None if it contains no secrets."""
    secret: bool = False
    """True: never shown, and never a flag, since other users can see command lines."""


def text(accepts: str = "text") -> Kind:
    """Any text, the empty one included."""
    return Kind(accepts, text_of)


def filled(accepts: str) -> Kind:
    """A text that is not empty and has no white space, such as a URI."""

    def read(raw: Any) -> str:
        value = filled_text(raw)
        if value.split() != [value] or not value.isprintable():
            raise ValueError
        return value

    return Kind(accepts, read)


def reference() -> Kind:
    """A place in a Python module, such as `shop.app:APP`."""

    def read(raw: Any) -> str:
        module, colon, name = filled_text(raw).partition(":")
        if not (colon and name.isidentifier()):
            raise ValueError
        if not all(part.isidentifier() for part in module.split(".")):
            raise ValueError
        return f"{module}:{name}"

    return Kind("module:object, such as shop.app:APP", read)


def secret() -> Kind:
    """A secret text, always masked."""
    return Kind("text", text_of, show=_masked, mask=_masked, secret=True)


def path() -> Kind:
    """A path, with `~` expanded; not empty."""
    return Kind("a path", lambda raw: Path(filled_text(raw)).expanduser())


def integer(low: int, high: int | None = None) -> Kind:
    """An integer from `low` to `high`, both included; None: no upper bound."""
    bounds = f"a whole number from {low:,}" + (f" to {high:,}" if high is not None else "")
    return Kind(bounds, lambda raw: within(integer_of(raw), low, high))


def optional(kind: Kind, *words: str) -> Kind:
    """A value of `kind`, or one of `words`, read as None; without `words`, "none" or empty."""
    words = words or ("none", "")

    def read(raw: Any) -> Any:
        return None if raw in words else kind.read(raw)

    return Kind(
        f"{kind.accepts}, or {words[0]}",
        read,
        show=lambda value: words[0] if value is None else kind.show(value),
    )


def number_above(low: float) -> Kind:
    """A number greater than `low`."""

    def read(raw: Any) -> float:
        value = number_of(raw)
        if value <= low:
            raise ValueError
        return value

    return Kind(f"a number above {low:g}", read)


def number_from(low: float) -> Kind:
    """A number of at least `low`."""
    return Kind(f"a number from {low:g}", lambda raw: within(number_of(raw), low, None))


def rate() -> Kind:
    """A number from 0 to 1."""
    return Kind("a number from 0 to 1", lambda raw: within(number_of(raw), 0.0, 1.0))


def flag() -> Kind:
    """A boolean: true, yes, 1, false, no or 0."""

    def read(raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
            str(raw).strip().lower()
        ]

    return Kind("true or false", read, show=lambda value: "true" if value else "false")


def choice(*names: str, fold: Callable[[str], str] = str.lower) -> Kind:
    """One of `names`, compared after `fold`."""
    return Kind(either(names), lambda raw: one_of(names, fold(filled_text(raw))))


def optional_choice(*names: str) -> Kind:
    """One of `names`, which are upper case, or empty."""

    def read(raw: Any) -> str:
        value = text_of(raw)
        return one_of(names, value.upper()) if value else ""

    return Kind(f"{either(names)}, or nothing", read)


def names(accepts: str = "names, separated by commas") -> Kind:
    """A tuple of texts, from a TOML list or comma-separated text."""
    return Kind(accepts, names_of, show=",".join)


def choices(*allowed: str) -> Kind:
    """A tuple of at least one of `allowed`, without duplicates."""

    def read(raw: Any) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(one_of(allowed, name) for name in names_of(raw)))
        if not chosen:
            raise ValueError
        return chosen

    return Kind(f"one or more of {', '.join(allowed)}, separated by commas", read, show=",".join)


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(*, zero: bool = True) -> Kind:
    """A duration, read as seconds (float); `zero` allows 0."""

    def read(raw: Any) -> float:
        amount, unit = measured(raw, default_unit="s")
        seconds = round(amount * _SECONDS[unit.lower()], 6)
        if seconds < 0 or (seconds == 0 and not zero):
            raise ValueError
        return seconds

    more = "" if zero else ", more than 0"
    return Kind(
        f"seconds, or a number with ms, s, m, h or d, as in 500ms or 5m{more}", read, _duration
    )


_BYTES = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}


def size() -> Kind:
    """A size, read as bytes (int), at least 1."""

    def read(raw: Any) -> int:
        amount, unit = measured(raw, default_unit="b")
        return within(int(amount * _BYTES[unit.lower()]), 1, None)

    return Kind("bytes, or a number with kB, MB or GB, as in 64MB", read, _bytes)


def pairs(key: str, *allowed: str) -> Kind:
    """Pairs of a name and one of `allowed`, from a TOML table or text such as `A=x,B=y`."""

    def read(raw: Any) -> tuple[tuple[str, str], ...]:
        if isinstance(raw, dict):
            given = [(filled_text(name), text_of(value)) for name, value in raw.items()]
        else:
            parts = [each.partition("=") for each in names_of(raw)]
            given = [(filled_text(name), value.strip()) for name, _, value in parts]
        if len(dict(given)) < len(given):
            raise ValueError
        return tuple((name, one_of(allowed, value)) for name, value in given)

    return Kind(
        f"pairs NAME=VALUE, separated by commas, of {key} and {either(allowed)}",
        read,
        show=lambda value: ",".join(f"{name}={form}" for name, form in value),
    )


def money_limits() -> Kind:
    """Amounts by currency, read as a tuple of (currency, minor units)."""

    def read(raw: Any) -> tuple[tuple[str, int], ...]:
        found = [amount_of(each) for each in names_of(raw)]
        if len(dict(found)) < len(found):
            raise ValueError
        return tuple(found)

    return Kind(
        "amounts with their currencies, separated by commas, as in EUR 500, JPY 60000",
        read,
        show=lambda value: ", ".join(
            money(amount, name).replace(",", "") for name, amount in value
        ),
    )


def _masked(value: str) -> str:
    return MASK if value else ""


def _duration(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def _bytes(value: int) -> str:
    for unit in ("gb", "mb", "kb"):
        if value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit[0].replace('m', 'M').replace('g', 'G')}B"
    return str(value)
