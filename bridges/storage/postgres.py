"""PostgreSQL through psycopg 3: reconnects when it is next used after the connection broke."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from order_sagas.bridges.errors import StoreError, StoreUnavailableError, UnstorableError
from order_sagas.bridges.storage.rows import Row

logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of errors that it raises anyway

CONNECT_SECONDS = 10
FROZEN_SECONDS = 20
"""Seconds after which the server aborts a transaction whose client is frozen, freeing its locks."""
IDS_AT_ONCE = 500
"""Number of ids that are fetched from a sequence at a time."""
SCHEMA = 7205759403792793
"""Advisory lock of a process that creates or changes tables."""
ALONE = 7205759403792794
"""Advisory lock of transactions that exclude one another (`PostgresConnection.alone`)."""
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # The server aborted the transaction of a worker that was frozen.
    psycopg.errors.TransactionTimeout,
    psycopg.errors.IdleInTransactionSessionTimeout,
    # The server became a standby by a failover, or its administrator stopped writes.
    psycopg.errors.ReadOnlySqlTransaction,
)
_UNSTORABLE = (
    psycopg.IntegrityError,  # 23xxx: a constraint
    psycopg.DataError,  # 22xxx, and texts with NUL, which psycopg does not send
    psycopg.errors.RaiseException,  # a trigger of the shop's own
    UnicodeEncodeError,  # half of a pair of surrogates
)
_ARRAYS = {"int": "int[]", "bigint": "bigint[]", "text": "text[]"}


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except _UNSTORABLE as error:
        raise UnstorableError(f"PostgreSQL: {str(error).strip()}") from error
    except _AWAY as error:
        if (error.sqlstate or "").startswith("54"):  # a limit of the server: waiting does not help
            raise UnstorableError(f"PostgreSQL: {str(error).strip()}") from error
        raise StoreUnavailableError(f"PostgreSQL: {str(error).strip()}") from error
    except (
        psycopg.errors.InsufficientPrivilege,
        # Another version of the program has changed the tables since.
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedColumn,
    ) as error:
        raise StoreError(f"PostgreSQL: {str(error).strip()}") from error


class PostgresConnection:
    """One connection, opened again when it is next needed after it broke.

    Commits are synchronous, whatever the server's default: what is acknowledged survives a crash.
    `options` of the URL, such as a search path, are kept on every connection. Raises StoreError if
    the database's encoding is not UTF-8.
    """

    dialect = "postgresql"
    placeholder = "%s"

    def __init__(self, url: sa.URL) -> None:
        plain = url.set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        given = conninfo_to_dict(self._dsn).get("options")
        self._options = f"{given} " if given else ""
        self._connection: psycopg.Connection[Any] | None = None
        self._ids: dict[str, list[int]] = {}
        with _errors():
            self._working()

    def is_in(self, kind: str) -> str:
        """Return `= ANY` with the array type of `kind`: "int", "bigint" or "text"."""
        return f"= ANY(%s::{_ARRAYS[kind]})"

    def many(self, values: Sequence[Any], kind: type) -> Any:
        """Return the values as a list, which psycopg passes as an array."""
        return list(values)

    def rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """Run a query and return its rows, all of which are fetched."""
        with _errors():
            # Without parameters, `%` is no placeholder.
            # psycopg asks for literals, against injection: callers pass statements of this package.
            cursor = self._working().execute(sql, parameters or None)  # pyright: ignore[reportArgumentType]
            return iter(cursor.fetchall())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Return a context with a cursor, in pipeline mode: only fetched results are waited for."""
        with _errors():
            connection = self._working()
            with (
                connection.pipeline() as pipeline,
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                yield cursor
                pipeline.sync()  # errors must be raised before the COMMIT

    def insert(self, cursor: Any, sql: str, rows: Sequence[Row]) -> None:
        """Run the INSERT for each of the rows, pipelined."""
        cursor.executemany(sql, rows)

    def beside(self, cursor: Any) -> Any:
        """Return a new cursor of the same connection."""
        return cursor.connection.cursor()

    def take_ids(self, cursor: Any, table: str, count: int) -> list[int]:
        """Return ids of the table's sequence, of which IDS_AT_ONCE are fetched at a time."""
        ids = self._ids.setdefault(table, [])
        if len(ids) < count:
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            beside = self.beside(cursor)
            beside.execute(
                f"SELECT nextval({sequence}) FROM generate_series(1, %s)",
                (max(count, IDS_AT_ONCE),),
            )
            ids[:] = [row[0] for row in beside.fetchall()]
        taken = ids[:count]
        del ids[:count]
        return taken

    def alone(self, cursor: Any) -> None:
        """Take an advisory lock until the end of the transaction."""
        self.beside(cursor).execute(f"SELECT pg_advisory_xact_lock({ALONE})")

    def check_now(self, cursor: Any) -> None:
        """Check deferred constraints, and wait for the results of all statements."""
        beside = self.beside(cursor)
        beside.execute("SET CONSTRAINTS ALL IMMEDIATE")
        beside.execute("SELECT 1").fetchall()

    def drop_ids(self) -> None:
        """Drop the ids that were fetched from sequences and not taken."""
        self._ids.clear()

    def move_offsets(
        self, cursor: Any, moves: Sequence[tuple[str, int, str, int, int]]
    ) -> Callable[[], int]:
        """Compare and set offsets with one UPDATE."""
        topics, partitions, consumers, befores, afters = zip(*moves, strict=True)
        cursor.execute(
            "UPDATE offsets o SET position = v.after FROM unnest("
            "%s::text[], %s::int[], %s::text[], %s::bigint[], %s::bigint[]"
            ") AS v(topic, partition, consumer, before, after) WHERE o.topic = v.topic "
            "AND o.partition = v.partition AND o.consumer = v.consumer "
            "AND o.position = v.before RETURNING o.partition",
            (list(topics), list(partitions), list(consumers), list(befores), list(afters)),
        )

        def moved() -> int:
            cursor.fetchall()
            return int(cursor.rowcount)

        return moved

    lock = " FOR SHARE"
    lock_alone = " FOR UPDATE"

    def names(self) -> set[str]:
        """Return the names of all tables and indexes of the current schema."""
        query = (
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p', 'i') "
            "AND c.relnamespace = current_schema()::regnamespace"
        )
        return {name for (name,) in self.rows(query, ())}

    def columns(self) -> dict[str, set[str]]:
        """Return the column names of each table of the current schema."""
        found: dict[str, set[str]] = {}
        for table, column in self.rows(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema()",
            (),
        ):
            found.setdefault(table, set()).add(column)
        return found

    @contextlib.contextmanager
    def changing_schema(self) -> Iterator[Any]:
        """Open a transaction on a connection of its own, without the time limits of workers."""
        with (
            _errors(),
            psycopg.connect(
                self._dsn,
                connect_timeout=CONNECT_SECONDS,
                options=f"{self._options}-c synchronous_commit=on -c statement_timeout=0",
            ) as connection,
            connection.cursor() as cursor,
        ):
            # A number of ours, no input.
            cursor.execute(f"SELECT pg_advisory_xact_lock({SCHEMA})")  # pyright: ignore[reportArgumentType, reportCallIssue]
            yield cursor

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._connection is not None:
            self._connection.close()

    def _working(self) -> "psycopg.Connection[Any]":
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options=f"{self._options}-c synchronous_commit=on "
                f"-c idle_in_transaction_session_timeout={FROZEN_SECONDS * 1000}",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
            self._check_server(self._connection)
            if self._connection.info.server_version >= 170000:
                # Within a pipeline, a session that waits for its client does not count as idle.
                # A number of ours, no input.
                self._connection.execute(f"SET transaction_timeout = {FROZEN_SECONDS * 1000}")  # pyright: ignore[reportArgumentType, reportCallIssue]
        return self._connection

    def _check_server(self, connection: "psycopg.Connection[Any]") -> None:
        """Close the connection if the server cannot be written, or not in UTF-8, and raise."""
        status = connection.info.parameter_status
        encoding = status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise StoreError(
                f"PostgreSQL: the database's encoding is {encoding}, and has to be UTF8, because "
                "ids may hold any letter: create it with ENCODING 'UTF8' TEMPLATE template0"
            )
        if status("in_hot_standby") == "on":
            # After a failover the name may soon lead to the new primary: connect again until then.
            connection.close()
            raise StoreUnavailableError("PostgreSQL: the server is a read-only standby")
