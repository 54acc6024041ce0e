"""Raw connections to SQLite and PostgreSQL: the hot path runs its own SQL on them.

SQLAlchemy makes the tables, and reads for people; a batch goes to the driver directly.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy import event, exc

from order_sagas.bridges.errors import StoreError, StoreUnavailableError
from order_sagas.bridges.extras import need
from order_sagas.bridges.storage.bulk_insert import insert
from order_sagas.bridges.storage.rows import Row

BUSY_SECONDS = 10.0
"""How long a write waits for another process to finish its own."""
LOOK_SECONDS = 0.0005
"""Seconds between two attempts to get SQLite's write lock."""
SCHEMA_SECONDS = 600.0
"""How long a process waits for another one that changes the schema: a migration of a large database
takes minutes."""


class Connection(Protocol):
    """What the store needs of a database."""

    dialect: str
    """"sqlite" or "postgresql"."""
    placeholder: str

    def is_in(self, kind: str) -> str:
        """The SQL condition "is one of", for one parameter made by `many`."""
        ...

    def many(self, values: Sequence[Any], kind: type) -> Any:
        """Several values as one parameter, so that a statement's text never changes."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """What a query found."""
        ...

    def transaction(self) -> Any:
        """A context with a cursor; commits at its end, rolls back on any exception."""
        ...

    def insert(self, cursor: Any, sql: str, rows: Sequence[Row]) -> None:
        """Within a transaction: an INSERT of one row, `... VALUES (...) ...`, for each of these."""
        ...

    def beside(self, cursor: Any) -> Any:
        """A cursor of the same transaction, whose answer can be asked for later.

        One that has been used before may answer with what it was asked before.
        """
        ...

    def take_ids(self, cursor: Any, table: str, count: int) -> list[int]:
        """So many ids that no row of the table ever had, ascending."""
        ...

    def alone(self, cursor: Any) -> None:
        """Let no other transaction that calls this be under way until the end of this one."""
        ...

    def drop_ids(self) -> None:
        """Take only ids that are larger than those which others took by now."""
        ...

    def move_offsets(
        self, cursor: Any, moves: Sequence[tuple[str, int, str, int, int]]
    ) -> Callable[[], int]:
        """Compare and set, for each (topic, partition, consumer, before, after).

        The answer, when it is asked for, tells how many were moved.
        """
        ...

    lock: str
    """What to add to a SELECT so that nobody changes its rows before the transaction's end."""
    lock_alone: str
    """The same, and nobody else may lock them either."""

    def names(self) -> set[str]:
        """The names of all tables and indexes."""
        ...

    def columns(self) -> dict[str, set[str]]:
        """The names of the columns of each table."""
        ...

    def changing_schema(self) -> AbstractContextManager[Any]:
        """A cursor in a transaction that excludes every other one of this method, of any process.

        Commits at its end, rolls back on any exception. On SQLite nobody else writes meanwhile.
        Parameters are as in `rows`; what was executed is answered by `fetchall`.
        """
        ...

    def close(self) -> None:
        """Drop what is not committed, and close."""
        ...


def connect(url: str) -> Connection:
    """Open the database of an SQLAlchemy URL.

    Raises StoreError if it is neither SQLite nor PostgreSQL, and MissingExtraError if it is
    PostgreSQL and psycopg is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise StoreError(
            f"{url!r} is not a database URL, such as sqlite:///data/orders.db"
        ) from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return SqliteConnection(parsed)
    if kind == "postgresql":
        need("postgres")
        from order_sagas.bridges.storage.postgres import PostgresConnection

        return PostgresConnection(parsed)
    raise StoreError(f"databases are sqlite:///... or postgresql://..., not {kind}")


def sqlite_engine(url: sa.URL) -> sa.Engine:
    """An engine whose connections are set up as every process of the system needs them."""
    if url.database and url.database != ":memory:":
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        if "mode" not in url.query:  # else the name is no path
            _make_file(file)
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        # SQLAlchemy is about to choose another pool for memory, and warns of it each time.
        poolclass=sa.StaticPool if url.query.get("mode") == "memory" else None,
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "cache_size=-24576",
            "wal_autocheckpoint=4000",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def postgres_engine(url: sa.URL, **options: Any) -> sa.Engine:
    """An engine on psycopg 3, whatever driver the URL names. Raises MissingExtraError."""
    need("postgres")
    return sa.create_engine(url.set(drivername="postgresql+psycopg"), **options)


def _make_file(path: Path) -> None:
    """Make an empty database unless there is a file: SQLite would let no group write to it.

    Its other files get the mode of this one. A file that is there is not opened: closing it would
    drop the locks that SQLite may have on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660))


class _SqliteErrors:
    """A context in which SQLite's errors become ours. No generator: each query enters it."""

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, sqlite3.OperationalError):
            if "locked" in str(error) or "busy" in str(error):
                raise StoreUnavailableError(f"the database is locked: {error}") from error
            raise StoreError(str(error)) from error


_sqlite_errors = _SqliteErrors()


class SqliteConnection:
    """SQLite in WAL mode with `synchronous=FULL`: a commit survives the loss of power."""

    dialect = "sqlite"
    placeholder = "?"

    def __init__(self, url: sa.URL) -> None:
        self._engine = sqlite_engine(url)
        with _sqlite_errors:
            self._lent = self._engine.raw_connection()
        connection: Any = self._lent.driver_connection
        self.use(connection)

    def use(self, connection: sqlite3.Connection) -> None:
        """Work on this connection; it commits only when it is told to."""
        self._connection = connection
        self._cursor = connection.cursor()
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode

    def is_in(self, kind: str) -> str:
        """See `Connection.is_in`."""
        return "IN (SELECT value FROM json_each(?))"

    def many(self, values: Sequence[Any], kind: type) -> Any:
        """See `Connection.many`."""
        return self._encode(values).decode()

    def rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """See `Connection.rows`."""
        with _sqlite_errors:
            return iter(self._connection.execute(sql, parameters))

    def transaction(self) -> AbstractContextManager[Any]:
        """See `Connection.transaction`."""
        return self._transaction(BUSY_SECONDS)

    def changing_schema(self) -> AbstractContextManager[Any]:
        """See `Connection.changing_schema`."""
        return self._transaction(SCHEMA_SECONDS)

    @contextmanager
    def _transaction(self, patience: float) -> Iterator[Any]:
        with _sqlite_errors:
            cursor = self._cursor
            self._begin(cursor, patience)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    def _begin(self, cursor: sqlite3.Cursor, patience: float) -> None:
        """Begin to write, as soon as nobody else does; wait for that at most so many seconds.

        SQLite itself waits in steps of up to 100 ms, of which two workers would lose many.
        """
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            latest = time.monotonic() + patience
            while True:
                try:
                    cursor.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > latest:
                        raise
                    time.sleep(LOOK_SECONDS)
                else:
                    return
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")

    def insert(self, cursor: Any, sql: str, rows: Sequence[Row]) -> None:
        """See `Connection.insert`."""
        insert(cursor, sql, rows)

    def beside(self, cursor: Any) -> Any:
        """See `Connection.beside`."""
        return self._connection.cursor()

    def alone(self, cursor: Any) -> None:
        """A transaction that writes has the whole database."""

    def drop_ids(self) -> None:
        """None are kept."""

    def take_ids(self, cursor: Any, table: str, count: int) -> list[int]:
        """See `Connection.take_ids`."""
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        last = next(iter(cursor.fetchone() or (0,)))
        return list(range(last + 1, last + 1 + count))

    def move_offsets(
        self, cursor: Any, moves: Sequence[tuple[str, int, str, int, int]]
    ) -> Callable[[], int]:
        """See `Connection.move_offsets`."""
        cursor.executemany(
            "UPDATE offsets SET position = ? WHERE topic = ? AND partition = ? "
            "AND consumer = ? AND position = ?",
            [(after, *place, before) for *place, before, after in moves],
        )
        moved: int = cursor.rowcount
        return lambda: moved

    lock = lock_alone = ""  # a transaction that writes has the whole database

    def names(self) -> set[str]:
        """See `Connection.names`."""
        return {name for (name,) in self.rows("SELECT name FROM sqlite_master", ())}

    def columns(self) -> dict[str, set[str]]:
        """See `Connection.columns`."""
        found: dict[str, set[str]] = {}
        for table, column in self.rows(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
            "WHERE m.type = 'table'",
            (),
        ):
            found.setdefault(table, set()).add(column)
        return found

    def close(self) -> None:
        """See `Connection.close`."""
        self._lent.close()
        self._engine.dispose()
