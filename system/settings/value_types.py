"""Types of setting values: each parses text or TOML values, and describes what it accepts.

A reader gets text (from a flag or the environment) or a TOML value (text, number, boolean, list).
It returns the parsed value or raises ValueError; the caller adds the setting's name.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from order_sagas.actors.money import amount_of, money

if TYPE_CHECKING:
    from sqlalchemy import URL

MASK = "***"

Amount = TypeVar("Amount", int, float)


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
    return Kind(accepts, _text)


def filled(accepts: str) -> Kind:
    """A text that is not empty and has no white space, such as a URI."""

    def read(raw: Any) -> str:
        value = _filled(raw)
        if value.split() != [value] or not value.isprintable():
            raise ValueError
        return value

    return Kind(accepts, read)


def reference() -> Kind:
    """A place in a Python module, such as `shop.app:APP`."""

    def read(raw: Any) -> str:
        module, colon, name = _filled(raw).partition(":")
        if not (colon and name.isidentifier()):
            raise ValueError
        if not all(part.isidentifier() for part in module.split(".")):
            raise ValueError
        return f"{module}:{name}"

    return Kind("module:object, such as shop.app:APP", read)


def secret(accepts: str = "text") -> Kind:
    """A secret text, always masked."""
    return Kind(accepts, _text, show=_masked, mask=_masked, secret=True)


def path() -> Kind:
    """A path, with `~` expanded; not empty."""
    return Kind("a path", lambda raw: Path(_filled(raw)).expanduser())


def integer(low: int, high: int | None = None) -> Kind:
    """An integer from `low` to `high`, both included; None: no upper bound."""
    bounds = f"a whole number from {low:,}" + (f" to {high:,}" if high is not None else "")
    return Kind(bounds, lambda raw: _within(_integer(raw), low, high))


def optional_integer(low: int) -> Kind:
    """An integer from `low`, or `none`, read as None."""

    def read(raw: Any) -> int | None:
        return None if raw in ("", "none") else _within(_integer(raw), low, None)

    return Kind(
        f"a whole number from {low:,}, or none",
        read,
        show=lambda value: "none" if value is None else str(value),
    )


def automatic_integer(low: int, high: int) -> Kind:
    """An integer in a range, or `auto`, read as None."""

    def read(raw: Any) -> int | None:
        return None if raw == "auto" else _within(_integer(raw), low, high)

    return Kind(
        f"a whole number from {low:,} to {high:,}, or auto",
        read,
        show=lambda value: "auto" if value is None else str(value),
    )


def number_above(low: float) -> Kind:
    """A number greater than `low`."""

    def read(raw: Any) -> float:
        value = _number(raw)
        if value <= low:
            raise ValueError
        return value

    return Kind(f"a number above {low:g}", read)


def number_from(low: float) -> Kind:
    """A number of at least `low`."""
    return Kind(f"a number from {low:g}", lambda raw: _within(_number(raw), low, None))


def rate() -> Kind:
    """A number from 0 to 1."""
    return Kind("a number from 0 to 1", lambda raw: _within(_number(raw), 0.0, 1.0))


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
    return Kind(_either(names), lambda raw: _one_of(names, fold(_filled(raw))))


def optional_choice(*names: str, fold: Callable[[str], str] = str.upper) -> Kind:
    """One of `names`, compared after `fold`, or empty."""

    def read(raw: Any) -> str:
        value = _text(raw)
        return _one_of(names, fold(value)) if value else ""

    return Kind(f"{_either(names)}, or nothing", read)


def names(accepts: str = "names, separated by commas") -> Kind:
    """A tuple of texts, from a TOML list or comma-separated text."""
    return Kind(accepts, _names, show=",".join)


def choices(*allowed: str) -> Kind:
    """A tuple of at least one of `allowed`, without duplicates."""

    def read(raw: Any) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(_one_of(allowed, name) for name in _names(raw)))
        if not chosen:
            raise ValueError
        return chosen

    return Kind(f"one or more of {', '.join(allowed)}, separated by commas", read, show=",".join)


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(*, zero: bool = True) -> Kind:
    """A duration, read as seconds (float); `zero` allows 0."""

    def read(raw: Any) -> float:
        amount, unit = _measured(raw, default_unit="s")
        seconds = round(amount * _SECONDS[unit.lower()], 6)
        if seconds < 0 or (seconds == 0 and not zero):
            raise ValueError
        return seconds

    more = "" if zero else ", more than 0"
    return Kind(
        f"seconds, or a number with ms, s, m, h or d, as in 500ms or 5m{more}", read, _duration
    )


def optional_duration() -> Kind:
    """A duration, read as seconds (float), or `none`, read as None: without limit."""
    seconds = duration(zero=False)

    def read(raw: Any) -> float | None:
        return None if raw in ("", "none") else float(seconds.read(raw))

    return Kind(
        f"{seconds.accepts}, or none",
        read,
        show=lambda value: "none" if value is None else _duration(value),
    )


_BYTES = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}


def size() -> Kind:
    """A size, read as bytes (int), at least 1."""

    def read(raw: Any) -> int:
        amount, unit = _measured(raw, default_unit="b")
        return _within(int(amount * _BYTES[unit.lower()]), 1, None)

    return Kind("bytes, or a number with kB, MB or GB, as in 64MB", read, _bytes)


def pairs(key: str, *allowed: str) -> Kind:
    """Pairs of a name and one of `allowed`, from a TOML table or text such as `A=x,B=y`."""

    def read(raw: Any) -> tuple[tuple[str, str], ...]:
        if isinstance(raw, dict):
            given = [(_filled(name), _text(value)) for name, value in raw.items()]
        else:
            parts = [each.partition("=") for each in _names(raw)]
            given = [(_filled(name), value.strip()) for name, _, value in parts]
        if len(dict(given)) < len(given):
            raise ValueError
        return tuple((name, _one_of(allowed, value)) for name, value in given)

    return Kind(
        f"pairs NAME=VALUE, separated by commas, of {key} and {_either(allowed)}",
        read,
        show=lambda value: ",".join(f"{name}={form}" for name, form in value),
    )


def money_limits() -> Kind:
    """Amounts by currency, read as a tuple of (currency, minor units)."""

    def read(raw: Any) -> tuple[tuple[str, int], ...]:
        found = [amount_of(each) for each in _names(raw)]
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


def addresses() -> Kind:
    """Comma-separated HOST:PORT addresses, or empty."""

    def read(raw: Any) -> str:
        hosts = _names(raw)
        for host in hosts:
            name, _, port = host.rpartition(":")
            if not name:
                raise ValueError
            _within(_integer(port), 1, 65535)
        return ",".join(hosts)

    return Kind("HOST:PORT, several separated by commas, or nothing for the embedded log", read)


def address() -> Kind:
    """One HOST:PORT address, or empty. Port 0 is any free port."""

    def read(raw: Any) -> str:
        value = _text(raw).strip()
        if value:
            host, _, port = value.rpartition(":")
            if not host:
                raise ValueError
            _within(_integer(port), 0, 65535)
        return value

    return Kind("HOST:PORT, or nothing", read)


def database_url() -> Kind:
    """An SQLAlchemy URL of SQLite or PostgreSQL. PostgreSQL always uses the driver psycopg 3."""

    def read(raw: Any) -> str:
        url = _url(_filled(raw))
        somewhere = url.host is not None or "host" in url.query  # such as a socket directory
        if url.get_backend_name() == "postgresql" and somewhere:
            return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        if url.drivername in ("sqlite", "sqlite+pysqlite") and not url.host:
            return url.render_as_string()
        raise ValueError

    return Kind(
        "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME",
        read,
        show=masked_url,
        mask=masked_url,
    )


def masked_url(url: str) -> str:
    """Return the URL without passwords; if it is malformed, without everything before its `@`."""
    try:
        shown = _url(url).render_as_string(hide_password=True)
    except ValueError:
        scheme = re.match(r"[\w+]*:/*", url)
        shown = re.sub(r".*@", f"{scheme[0] if scheme else ''}{MASK}@", url)
    return re.sub(r"(?i)(password=)[^&]*", rf"\1{MASK}", shown)


def has_password(url: str) -> bool:
    """Return whether a database URL has a password in it."""
    return masked_url(url) != _url(url).render_as_string(hide_password=False)


def command() -> Kind:
    """A command line. Only the program is shown: its arguments may be secrets."""
    return Kind("a command", _text, show=_program, mask=_program)


def link_template() -> Kind:
    """An HTTP URL with names in braces that are replaced, or empty."""

    def read(raw: Any) -> str:
        value = _text(raw).strip()
        names = re.findall(r"{([^{}]*)}", value)
        if value and (
            not re.match(r"https?://[^/\s]", value)
            or not {*names} <= {"trace_id", "saga_id", "order_id"}
        ):
            raise ValueError
        return value

    return Kind(
        "an http or https URL, in which {trace_id}, {saga_id} and {order_id} are replaced, or "
        "nothing",
        read,
    )


def endpoint() -> Kind:
    """An HTTP URL. User, password and query are masked: they may hold a key."""
    return Kind("a URL", _text, show=_masked_endpoint, mask=_masked_endpoint)


def _program(command: str) -> str:
    program, _, arguments = command.strip().partition(" ")
    return f"{program} {MASK}" if arguments else program


def _masked_endpoint(url: str) -> str:
    without_user = re.sub(r"(//)[^/?#]*@", rf"\1{MASK}@", url)
    return re.sub(r"\?.+", f"?{MASK}", without_user, flags=re.DOTALL)


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite database; None for a server or an in-memory database."""
    parsed = _url(url)
    if not parsed.drivername.startswith("sqlite"):
        return None
    name = parsed.database or ""
    return None if name in ("", ":memory:") or name.startswith("file:") else Path(name)


def _url(raw: str) -> "URL":
    # Imported here, because SQLAlchemy takes long to load.
    from order_sagas.bridges.errors import StoreError
    from order_sagas.bridges.storage.database_url import parsed

    try:
        return parsed(raw)
    except StoreError as error:
        raise ValueError from error


def _masked(value: str) -> str:
    return MASK if value else ""


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError
    return raw


def _filled(raw: Any) -> str:
    value = _text(raw).strip()
    if not value:
        raise ValueError
    return value


def _integer(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, (int, str)):
        raise ValueError
    return int(raw)


def _number(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ValueError
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError
    return value


def _within(value: Amount, low: Amount, high: Amount | None) -> Amount:
    if value < low or (high is not None and value > high):
        raise ValueError
    return value


def _measured(raw: Any, default_unit: str) -> tuple[float, str]:
    if not isinstance(raw, str):
        return _number(raw), default_unit
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", raw)
    if match is None:
        raise ValueError
    return _number(match[1]), match[2] or default_unit


def _names(raw: Any) -> tuple[str, ...]:
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, (list, tuple)):
        raise ValueError
    return tuple(filter(None, (_text(part).strip() for part in parts)))


def _one_of(allowed: tuple[str, ...], name: str) -> str:
    if name not in allowed:
        raise ValueError
    return name


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


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
