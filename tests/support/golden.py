"""Databases of former versions of the program, restored from SQL scripts in `tests/golden`."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from order_sagas.bridges.storage.database_url import file_of

FOLDER = Path(__file__).parents[1] / "golden"

B53E8B7 = "b53e8b7"
"""The commit whose databases are of schema version 1."""
B53E8B7_ENDED = 1700100835.1
"""Time of the last change of these databases, in seconds since the Unix epoch."""


def restore(name: str, database: str, commit: str = B53E8B7) -> None:
    """Restore a database ("orders" or "own") at the URL of an empty one."""
    kind = sa.make_url(database).get_backend_name()
    script = gzip.decompress((FOLDER / commit / f"{name}.{kind}.sql.gz").read_bytes()).decode()
    file = file_of(database)
    if file is not None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(script)
        return
    import psycopg

    url = sa.make_url(database).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as server:
        server.execute(script.encode())  # as bytes: several statements, none with parameters
