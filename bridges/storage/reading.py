"""Read-only access to a database, also while systems run, and on a read-only disk.

A reader takes no write lock, waits for no writer, and creates no tables: a database of another
schema version is refused, since only a process that may write can migrate it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc

from order_sagas.bridges.errors import NoDatabaseError, StoreError
from order_sagas.bridges.storage.connection import postgres_engine
from order_sagas.bridges.storage.database_url import file_of, parsed
from order_sagas.bridges.storage.migrations import FIRST
from order_sagas.bridges.storage.preparation import READ_VERSION, as_version, check_version
from order_sagas.bridges.storage.sqlite import BUSY_SECONDS

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name IN ('meta', 'order_keys')",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
    "AND tablename IN ('meta', 'order_keys')",
}


def check_exists(database: str) -> None:
    """Raise NoDatabaseError if the URL names a file that does not exist."""
    file = file_of(database)
    if file is not None and not file.exists():
        raise NoDatabaseError(
            f"there is no database at {file}; check --database (or ORDER_SAGAS_DATABASE); "
            "`start` and `submit` create one"
        )


@contextmanager
def reading(database: str, *, limited: bool = True) -> Iterator[sa.Connection]:
    """Return a connection context with a snapshot of the database.

    If `limited`, a PostgreSQL that is silent for 30 seconds cannot be read: a query that may take
    longer, such as that of an audit, needs False.

    Raises NoDatabaseError if there is none; OldDatabaseError and
    NewerDatabaseError if it has another schema version than this program; MissingExtraError, and
    StoreError if it can't be read.
    """
    check_exists(database)
    engine = reading_engine(database, limited=limited, poolclass=sa.NullPool)
    try:
        with one_moment(engine) as connection:
            check_readable(connection)
            yield connection
    except exc.DBAPIError as error:
        file = file_of(database)
        name = f"the database {file}" if file else "the database"
        raise StoreError(f"{name} can't be read: {error.orig}") from error
    finally:
        engine.dispose()


def reading_engine(database: str, *, limited: bool = True, **options: Any) -> sa.Engine:
    """Return an engine whose connections cannot write; `options` are those of `create_engine`.

    `limited` is as for `reading`. Raises MissingExtraError.
    """
    file = file_of(database)
    if file is not None:
        return sa.create_engine(
            "sqlite://", creator=lambda: _open(file), **{"poolclass": sa.QueuePool, **options}
        )
    url = parsed(database)
    if url.get_backend_name() == "sqlite":  # in memory, without other writers
        return sa.create_engine(url, **options)
    engine = postgres_engine(url, limited=limited, **options)

    @event.listens_for(engine, "connect")
    def _read_only(connection: Any, _: Any) -> None:
        from psycopg import IsolationLevel

        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ  # one snapshot for all queries

    return engine


@contextmanager
def one_moment(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Return a context with a connection of a `reading_engine`, in a snapshot transaction."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()


def check_readable(db: sa.Connection) -> None:
    """Raise OldDatabaseError or NewerDatabaseError unless the schema version is the program's.

    Raises NoDatabaseError if the database has no tables of order-sagas.
    """
    check_version(stored_version(db))


def stored_version(db: sa.Connection) -> int:
    """Return the schema version. Raises NoDatabaseError if it has no tables of order-sagas."""
    names = {name for (name,) in db.exec_driver_sql(_TABLES[db.dialect.name])}
    if "order_keys" not in names:
        raise NoDatabaseError(
            "the database has no tables of order-sagas; `start` and `submit` make them"
        )
    found = db.exec_driver_sql(READ_VERSION).scalar() if "meta" in names else None
    return FIRST if found is None else as_version(str(found))


def _open(file: Path) -> sqlite3.Connection:
    connection = _connect(file, "mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError:
        connection.close()
        # SQLite shares a WAL database through two files beside it, which cannot be created here.
        # If there is none, no process has the database open, and it is read as immutable.
        wal = file.with_name(f"{file.name}-wal")
        if os.access(file.parent, os.W_OK) or wal.exists():
            raise
    return _connect(file, "immutable=1")


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(file))}?{mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
