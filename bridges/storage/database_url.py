"""The URL of a database: how it is read, and the file of one that has a file."""

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from order_sagas.bridges.errors import StoreError

POSTGRES_PORT = "5432"
_SEVERAL_HOSTS = re.compile(
    r"(postgres\w*(?:\+\w+)?://(?:[^@/?]*@)?)([^/?@]*,[^/?@]*)(/[^?]*)?(.*)"
)


def parsed(url: str) -> sa.URL:
    """Return a database URL as SQLAlchemy has it.

    Several hosts may be given as PostgreSQL's own programs take them, `host1:5432,host2:5432`, or
    as SQLAlchemy does, `?host=host1:5432&host=host2:5432`. Raises StoreError if it is no URL.
    """
    try:
        if several := _SEVERAL_HOSTS.fullmatch(url):
            begin, hosts, path, query = several.groups()
            each = [host if ":" in host else f"{host}:{POSTGRES_PORT}" for host in hosts.split(",")]
            query = "&".join([f"?host={'&host='.join(each)}", *filter(None, [query[1:]])])
            url = f"{begin}{path or '/'}{query}"
        return sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise StoreError(
            f"{url!r} is not a database URL, such as sqlite:///data/orders.db"
        ) from None


def file_of(url: str) -> Path | None:
    """Return the absolute path of an SQLite database; None for a server or one in memory.

    Links are resolved, so that all processes get the same path. Raises StoreError if it is no URL.
    """
    found = parsed(url)
    name = found.database or ""
    if found.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name).resolve()
