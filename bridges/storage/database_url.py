"""Where a database is: its file, if it has one."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from order_sagas.bridges.errors import StoreError


def file_of(url: str) -> Path | None:
    """The absolute path of an SQLite database; None for a server, and for one in memory.

    Two processes that use one file get one path, whatever their working directories and links.
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise StoreError(f"{url!r} is not a database URL") from None
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    return Path(name).resolve()
