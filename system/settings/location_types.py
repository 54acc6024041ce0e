"""Types of settings that say where something is: addresses, URLs and commands, without secrets."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from order_sagas.system.settings.parsing import filled_text, integer_of, names_of, text_of, within
from order_sagas.system.settings.value_types import MASK, Kind

if TYPE_CHECKING:
    from sqlalchemy import URL


def addresses() -> Kind:
    """Comma-separated HOST:PORT addresses, or empty."""

    def read(raw: Any) -> str:
        hosts = names_of(raw)
        for host in hosts:
            name, _, port = host.rpartition(":")
            if not name:
                raise ValueError
            within(integer_of(port), 1, 65535)
        return ",".join(hosts)

    return Kind("HOST:PORT, several separated by commas, or nothing for the embedded log", read)


def address() -> Kind:
    """One HOST:PORT address, or empty. Port 0 is any free port."""

    def read(raw: Any) -> str:
        value = text_of(raw).strip()
        if value:
            host, _, port = value.rpartition(":")
            if not host:
                raise ValueError
            within(integer_of(port), 0, 65535)
        return value

    return Kind("HOST:PORT, or nothing", read)


def database_url() -> Kind:
    """An SQLAlchemy URL of SQLite or PostgreSQL. PostgreSQL always uses the driver psycopg 3."""

    def read(raw: Any) -> str:
        url = _url(filled_text(raw))
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
    return Kind("a command", text_of, show=_program, mask=_program)


def link_template() -> Kind:
    """An HTTP URL with names in braces that are replaced, or empty."""

    def read(raw: Any) -> str:
        value = text_of(raw).strip()
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
    return Kind("a URL", text_of, show=_masked_endpoint, mask=_masked_endpoint)


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
