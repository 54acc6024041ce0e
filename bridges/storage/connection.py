"""Connections to SQLite and PostgreSQL, on which batches run their SQL without SQLAlchemy.

SQLAlchemy defines the tables, and runs the queries of commands and of the HTTP API.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import sqlalchemy as sa
from sqlalchemy import event

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.extras import need
from order_sagas.bridges.storage.database_url import parsed
from order_sagas.bridges.storage.rows import Row
from order_sagas.bridges.storage.sqlite import SqliteConnection

_BEGIN = "begin"
"""Key of the statement that each transaction of a connection of an engine begins with."""


class Connection(Protocol):
    """A connection to a database.

    Methods raise StoreUnavailableError during an outage, and UnstorableError for values that the
    database does not take.
    """

    dialect: str
    """"sqlite" or "postgresql"."""
    placeholder: str
    """The placeholder of a parameter in SQL."""

    def is_in(self, kind: str) -> str:
        """Return the SQL condition "is one of", for one parameter made by `many`."""
        ...

    def many(self, values: Sequence[Any], kind: type) -> Any:
        """Return several values as one parameter, so that the text of a statement never changes."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """Run a query and return its rows."""
        ...

    def transaction(self) -> Any:
        """Return a context with a cursor; commits at its end, rolls back on any exception."""
        ...

    def insert(self, cursor: Any, sql: str, rows: Sequence[Row]) -> None:
        """Within a transaction: run an INSERT of one row, `... VALUES (...) ...`, for each row."""
        ...

    def insert_new(self, cursor: Any, sql: str, rows: Sequence[Row]) -> Callable[[], None]:
        """Within a transaction: run an INSERT that leaves out, or changes, rows that exist.

        Returns a function that waits for the result, and raises ConflictError if one of the rows
        was not written, because another transaction has written it meanwhile.
        """
        ...

    def beside(self, cursor: Any) -> Any:
        """Return a new cursor in the same transaction.

        Use it for a query whose result is fetched after other statements. Do not reuse a cursor
        that has run another statement: it may return the rows of that one.
        """
        ...

    def take_ids(self, cursor: Any, table: str, count: int) -> list[int]:
        """Return `count` ids that no row of the table ever had, ascending."""
        ...

    def alone(self, cursor: Any) -> None:
        """Serialise with all transactions that call this or `together`, until this one ends."""
        ...

    def together(self, cursor: Any) -> None:
        """Serialise with transactions that call `alone`, but not with others that call this."""
        ...

    def check_now(self, cursor: Any) -> None:
        """Within a transaction: wait for its statements, and check deferred constraints.

        Raises UnstorableError if what was written cannot be committed.
        """
        ...

    def drop_ids(self) -> None:
        """Drop reserved ids, so that the next ones are larger than those others took by now."""
        ...

    def move_offsets(
        self, cursor: Any, moves: Sequence[tuple[str, int, str, int, int]]
    ) -> Callable[[], int]:
        """Compare and set offsets, for each (topic, partition, consumer, before, after).

        Returns a function that returns how many were changed; it waits for the result.
        """
        ...

    lock: str
    """SQL to append to a SELECT to lock its rows against changes until the transaction ends."""
    lock_alone: str
    """SQL to append to a SELECT to lock its rows exclusively until the transaction ends."""

    def names(self) -> set[str]:
        """Return the names of all tables and indexes."""
        ...

    def columns(self) -> dict[str, set[str]]:
        """Return the column names of each table."""
        ...

    def changing_schema(self) -> AbstractContextManager[Any]:
        """Return a context with a cursor, in a transaction that excludes all others of this method.

        That holds for all processes; on SQLite it excludes every write. It commits at its end, and
        rolls back on any exception. Parameters are as in `rows`; `fetchall` returns the rows.
        """
        ...

    def close(self) -> None:
        """Close the connection; what is not committed is rolled back."""
        ...


def connect(url: str) -> Connection:
    """Open the database of an SQLAlchemy URL.

    Raises StoreError if it is neither SQLite nor PostgreSQL, and MissingExtraError if it is
    PostgreSQL and psycopg is not installed.
    """
    found = parsed(url)
    kind = found.get_backend_name()
    if kind == "sqlite":
        return SqliteConnection(found)
    if kind == "postgresql":
        need("postgres")
        from order_sagas.bridges.storage.postgres import PostgresConnection

        return PostgresConnection(found)
    raise StoreError(f"databases are sqlite:///... or postgresql://..., not {kind}")


def postgres_engine(url: sa.URL, *, limited: bool = True, **options: Any) -> sa.Engine:
    """Return an engine on psycopg 3, whatever driver the URL names. Raises MissingExtraError.

    The settings of its sessions are those of `postgres_session`. If `limited`, a server that is
    silent for long counts as unavailable (`answer_limit`).
    """
    need("postgres")
    from order_sagas.bridges.storage.answer_limit import LimitedConnection
    from order_sagas.bridges.storage.postgres_session import of_reader, open_session

    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), **options)

    @event.listens_for(engine, "do_connect")
    def _open(_: Any, record: Any, __: Any, ___: Any) -> Any:
        session = open_session(url, of_reader(), LimitedConnection, prepare_threshold=None)
        if not limited:
            cast(LimitedConnection, session.connection).answer_seconds = None
        session.connection.autocommit = False
        record.info[_BEGIN] = session.begin.decode()
        return session.connection

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if begin := connection.info.get(_BEGIN):
            connection.exec_driver_sql(begin)

    return engine
