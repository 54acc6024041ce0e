"""SQLite through the standard library, in WAL mode."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import event

from order_sagas.bridges.errors import StoreError, StoreUnavailableError, UnstorableError
from order_sagas.bridges.storage.bulk_insert import insert
from order_sagas.bridges.storage.rows import Row

BUSY_SECONDS = 10.0
"""Seconds that a write waits for the transaction of another process."""
LOOK_SECONDS = 0.0005
"""Seconds between attempts to get SQLite's write lock."""
SCHEMA_SECONDS = 600.0
"""Seconds that a process waits for another one that changes the schema: migrating a large database
takes minutes."""


def sqlite_engine(url: sa.URL) -> sa.Engine:
    """Return an engine whose connections have the pragmas that the system needs."""
    if url.database and url.database != ":memory:":
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        if "mode" not in url.query:  # else the name is no path
            _make_file(file)
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        # SQLAlchemy will choose another pool for memory, and warns of it each time.
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


def _make_file(path: Path) -> None:
    """Create an empty file that its group may write, which one created by SQLite would not allow.

    SQLite gives its other files the mode of this one. An existing file is not opened: closing it
    would release the locks that SQLite may have on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660))


_NO_SPACE = (
    sqlite3.SQLITE_FULL,
    # Other limits than the size of the disk, such as a quota, and the index of the WAL file.
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
"""Error codes of a file that cannot grow now. After them nothing of the transaction is stored."""
_UNSTORABLE = (
    sqlite3.IntegrityError,  # a constraint, or a trigger that refuses a row
    sqlite3.DataError,  # a text or a row that is too large
    OverflowError,  # an integer of more than 64 bits
    UnicodeEncodeError,  # half of a pair of surrogates
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _SqliteErrors:
    """Converts SQLite's errors to StoreError. A class, since entering a generator costs more."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, _UNSTORABLE):
            raise UnstorableError(f"the database refuses a value: {error}") from error
        if not isinstance(error, sqlite3.DatabaseError):
            return
        # Only errors that come from SQLite itself have a code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
        if isinstance(error, sqlite3.OperationalError):
            if "locked" in str(error) or "busy" in str(error):
                raise StoreUnavailableError(
                    "the database is locked by another process, which did not finish in time"
                ) from error
            if code in _NO_SPACE:
                raise StoreUnavailableError(f"the database cannot be written: {error}") from error
            raise StoreError(str(error)) from error
        if code & 0xFF in _DAMAGED:
            raise StoreError(
                f"the database file is damaged: {error}; keep it, and go on with a backup"
            ) from error


_sqlite_errors = _SqliteErrors()


class SqliteConnection:
    """SQLite in WAL mode with `synchronous=FULL`: a commit survives the loss of power."""

    dialect = "sqlite"
    placeholder = "?"

    def __init__(self, url: sa.URL) -> None:
        self._engine = sqlite_engine(url)
        try:
            with _sqlite_errors:
                self._lent = self._engine.raw_connection()
        except StoreError as error:
            raise type(error)(f"{url.database}: {error}") from error
        connection: Any = self._lent.driver_connection
        self.use(connection)

    def use(self, connection: sqlite3.Connection) -> None:
        """Use this connection, which must be in autocommit mode (`isolation_level` None)."""
        self._connection = connection
        self._cursor = connection.cursor()
        self._besides: list[sqlite3.Cursor] = []
        """The cursors of `beside` in the open, or the last, transaction."""
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode

    def is_in(self, kind: str) -> str:
        """Return a condition on a JSON array, the form of `many`."""
        return "IN (SELECT value FROM json_each(?))"

    def many(self, values: Sequence[Any], kind: type) -> Any:
        """Return the values as a JSON array."""
        return self._encode(values).decode()

    def rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """Run a query and return an iterator of its rows."""
        with _sqlite_errors:
            return iter(self._connection.execute(sql, parameters))

    def transaction(self) -> AbstractContextManager[Any]:
        """Return a context with a cursor; it waits up to BUSY_SECONDS for the write lock."""
        return self._transaction(BUSY_SECONDS)

    def changing_schema(self) -> AbstractContextManager[Any]:
        """Return a context with a cursor; it waits up to SCHEMA_SECONDS for the write lock."""
        return self._transaction(SCHEMA_SECONDS)

    @contextmanager
    def _transaction(self, longest_wait: float) -> Iterator[Any]:
        with _sqlite_errors:
            cursor = self._cursor
            self._besides.clear()
            self._begin(cursor, longest_wait)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # A query whose rows are not fetched would keep its snapshot: later reads would not
                # see what other processes write.
                for beside in self._besides:
                    beside.close()
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    def _begin(self, cursor: sqlite3.Cursor, longest_wait: float) -> None:
        """Take the write lock; wait for it at most `longest_wait` seconds.

        SQLite itself waits in steps of up to 100 ms, which costs throughput with two workers.
        """
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            latest = time.monotonic() + longest_wait
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
        """Run the INSERT for the rows, several rows with one statement."""
        insert(cursor, sql, rows)

    def insert_new(self, cursor: Any, sql: str, rows: Sequence[Row]) -> Callable[[], None]:
        """Run the INSERT for the rows: no other transaction writes meanwhile."""
        insert(cursor, sql, rows)
        return lambda: None

    def beside(self, cursor: Any) -> Any:
        """Return a new cursor of the same connection."""
        cursor = self._connection.cursor()
        self._besides.append(cursor)
        return cursor

    def alone(self, cursor: Any) -> None:
        """Do nothing: a transaction that writes has a lock on the whole database."""

    def together(self, cursor: Any) -> None:
        """Do nothing: a transaction that writes has a lock on the whole database."""

    def check_now(self, cursor: Any) -> None:
        """Do nothing: each statement was checked when it ran."""

    def drop_ids(self) -> None:
        """Do nothing: no ids are reserved."""

    def take_ids(self, cursor: Any, table: str, count: int) -> list[int]:
        """Return the ids that follow the last one of the table."""
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        last = next(iter(cursor.fetchone() or (0,)))
        return list(range(last + 1, last + 1 + count))

    def move_offsets(
        self, cursor: Any, moves: Sequence[tuple[str, int, str, int, int]]
    ) -> Callable[[], int]:
        """Compare and set offsets; the result is known at once."""
        cursor.executemany(
            "UPDATE offsets SET position = ? WHERE topic = ? AND partition = ? "
            "AND consumer = ? AND position = ?",
            [(after, *place, before) for *place, before, after in moves],
        )
        moved: int = cursor.rowcount
        return lambda: moved

    lock = lock_alone = ""  # a transaction that writes locks the whole database

    def names(self) -> set[str]:
        """Return the names of all tables and indexes."""
        return {name for (name,) in self.rows("SELECT name FROM sqlite_master", ())}

    def columns(self) -> dict[str, set[str]]:
        """Return the column names of each table."""
        found: dict[str, set[str]] = {}
        for table, column in self.rows(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
            "WHERE m.type = 'table'",
            (),
        ):
            found.setdefault(table, set()).add(column)
        return found

    def close(self) -> None:
        """Close the connection and dispose of its engine."""
        self._lent.close()
        self._engine.dispose()
