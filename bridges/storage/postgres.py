"""PostgreSQL through psycopg 3: reconnects when it is next used after the connection broke."""

import contextlib
import logging
import select
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import PipelineStatus, TransactionStatus

from order_sagas.bridges.errors import (
    ConflictError,
    StoreError,
    StoreUnavailableError,
    UnstorableError,
)
from order_sagas.bridges.storage.answer_limit import LimitedConnection
from order_sagas.bridges.storage.postgres_session import (
    WITHOUT_LIMITS,
    Session,
    check_writable,
    of_worker,
    open_session,
)
from order_sagas.bridges.storage.rows import Row

logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of errors that it raises anyway

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
    except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as error:
        raise ConflictError(f"PostgreSQL: {str(error).strip()}") from error
    except _AWAY as error:
        if (error.sqlstate or "").startswith("54"):  # a limit of the server: waiting does not help
            raise UnstorableError(f"PostgreSQL: {str(error).strip()}") from error
        raise StoreUnavailableError(f"PostgreSQL: {str(error).strip()}") from error
    except (
        psycopg.errors.InsufficientPrivilege,
        # Another version of the program has changed the tables since.
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedColumn,
        # The schema of the search path does not exist.
        psycopg.errors.InvalidSchemaName,
    ) as error:
        raise StoreError(f"PostgreSQL: {str(error).strip()}") from error


class PostgresConnection:
    """One connection, opened again when it is next needed after it broke.

    Commits are synchronous, whatever the server's default: what is acknowledged survives a crash.
    `options` of the URL, such as a search path, are kept on every connection, and the defaults of
    the server change nothing. It may be a session of a pooler (`postgres_session`). Raises
    StoreError if the database's encoding is not UTF-8.
    """

    dialect = "postgresql"
    placeholder = "%s"

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._session: Session | None = None
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
            session = self._working()
            connection = session.connection
            if session.pooled and connection.info.transaction_status == TransactionStatus.IDLE:
                with self._begin(session) as cursor:
                    return iter(cursor.execute(sql, parameters or None).fetchall())
            # Without parameters, `%` is no placeholder.
            # psycopg asks for literals, against injection: callers pass statements of this package.
            cursor = connection.execute(sql, parameters or None)  # pyright: ignore[reportArgumentType]
            return iter(cursor.fetchall())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Return a context with a cursor, in pipeline mode: only fetched results are waited for."""
        with _errors(), self._begin(self._working()) as cursor:
            yield cursor

    @contextlib.contextmanager
    def _begin(self, session: Session) -> Iterator[Any]:
        connection = session.connection
        try:
            with (
                connection.pipeline() as pipeline,
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                if session.begin:
                    connection.execute(session.begin)
                yield cursor
                pipeline.sync()  # errors must be raised before the COMMIT
        except psycopg.errors.ReadOnlySqlTransaction:
            # Another server may be the primary by now, or the default of this server has changed.
            connection.close()
            raise

    def insert(self, cursor: Any, sql: str, rows: Sequence[Row]) -> None:
        """Run the INSERT for each of the rows, pipelined."""
        cursor.executemany(sql, rows)

    def insert_new(self, cursor: Any, sql: str, rows: Sequence[Row]) -> Callable[[], None]:
        """Run the INSERT for each of the rows, pipelined; the result counts those written."""
        inserted = self.beside(cursor)
        inserted.executemany(sql, rows)

        def check() -> None:
            self.beside(cursor).execute("SELECT 1").fetchall()  # after the results of all before
            if inserted.rowcount != len(rows):
                raise ConflictError("another transaction has written the same rows")

        return check

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

    def together(self, cursor: Any) -> None:
        """Share the advisory lock of `alone` until the end of the transaction."""
        self.beside(cursor).execute(f"SELECT pg_advisory_xact_lock_shared({ALONE})")

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
        with _errors():
            session = open_session(self._url, WITHOUT_LIMITS)
            check_writable(session)
            with (
                contextlib.closing(session.connection) as connection,
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                if session.begin:
                    cursor.execute(session.begin)
                # A number of ours, no input.
                cursor.execute(f"SELECT pg_advisory_xact_lock({SCHEMA})")  # pyright: ignore[reportArgumentType, reportCallIssue]
                yield cursor

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._session is not None:
            self._session.connection.close()

    def _working(self) -> Session:
        session = self._session
        if session is None or not _is_open(session.connection):
            if session is not None:
                session.connection.close()
            session = open_session(self._url, of_worker(), LimitedConnection)
            check_writable(session)
            self._session = session
        return session


def _is_open(connection: "psycopg.Connection[Any]") -> bool:
    """Whether the connection can be used, as far as this side can detect.

    Between queries, the server mostly sends that the session has ended, after a time limit, a
    restart or a failover. It is read here, since no work is lost if a new connection is opened now.
    """
    if connection.closed or connection.broken:
        return False
    pgconn = connection.pgconn
    if (
        pgconn.transaction_status != TransactionStatus.IDLE
        or pgconn.pipeline_status != PipelineStatus.OFF
    ):
        return True
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    return not poll.poll(0)
