"""The file of a database, from its URL."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from order_sagas.bridges.errors import StoreError


def file_of(url: str) -> Path | None:
    """Return the absolute path of an SQLite database; None for a server or one in memory.

    Links are resolved, so that all processes get the same path. Raises StoreError if it is no URL.
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise StoreError(f"{url!r} is not a database URL") from None
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name).resolve()
