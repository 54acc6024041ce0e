"""Parses setting values, from text (a flag, the environment) or TOML: each raises ValueError."""

import math
import re
from typing import Any, TypeVar

Amount = TypeVar("Amount", int, float)


def text_of(raw: Any) -> str:
    """Return the text."""
    if not isinstance(raw, str):
        raise ValueError
    return raw


def filled_text(raw: Any) -> str:
    """Return the text without white space around it; not empty."""
    value = text_of(raw).strip()
    if not value:
        raise ValueError
    return value


def integer_of(raw: Any) -> int:
    """Return an integer."""
    if isinstance(raw, bool) or not isinstance(raw, (int, str)):
        raise ValueError
    return int(raw)


def number_of(raw: Any) -> float:
    """Return a finite number."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ValueError
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError
    return value


def within(value: Amount, low: Amount, high: Amount | None) -> Amount:
    """Return the value, which has to be from `low` to `high`; None: no upper bound."""
    if value < low or (high is not None and value > high):
        raise ValueError
    return value


def measured(raw: Any, default_unit: str) -> tuple[float, str]:
    """Return the amount and the unit of text such as `5m`, or of a bare number."""
    if not isinstance(raw, str):
        return number_of(raw), default_unit
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", raw)
    if match is None:
        raise ValueError
    return number_of(match[1]), match[2] or default_unit


def names_of(raw: Any) -> tuple[str, ...]:
    """Return the texts of a list, or of comma-separated text."""
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, (list, tuple)):
        raise ValueError
    return tuple(filter(None, (text_of(part).strip() for part in parts)))


def one_of(allowed: tuple[str, ...], name: str) -> str:
    """Return the name, which has to be one of `allowed`."""
    if name not in allowed:
        raise ValueError
    return name


def either(names: tuple[str, ...]) -> str:
    """Return the names as a list for people, with "or"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
