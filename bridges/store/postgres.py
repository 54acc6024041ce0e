"""PostgreSQL, by psycopg 3: reconnects by itself, and says when it cannot."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa

from bridges.errors import StoreError, StoreUnavailableError
from bridges.store.rows import Row
from bridges.store.upgrade import lacking, upgrade

CONNECT_SECONDS = 10
FROZEN_SECONDS = 20
"""After which a worker that was frozen within a transaction holds up nobody else any more."""
IDS_AT_ONCE = 500
"""How many ids are fetched from a sequence together."""
ALONE = 7205759403792794
"""The advisory lock of those who want to be alone."""
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # What a worker finds that was frozen: the server has broken off its transaction.
    psycopg.errors.TransactionTimeout,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
_ARRAYS = {"int": "int[]", "bigint": "bigint[]", "text": "text[]"}


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except _AWAY as error:
        raise StoreUnavailableError(f"PostgreSQL: {str(error).strip()}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(f"PostgreSQL: {str(error).strip()}") from error


class PostgresConnection:
    """One connection, opened again when it is next needed after it broke.

    Commits are synchronous, whatever the server's default: what is acknowledged survives a crash.
    """

    placeholder = "%s"

    def __init__(self, url: sa.URL) -> None:
        plain = url.set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        self._url = url.set(drivername="postgresql+psycopg")
        self._connection: psycopg.Connection[Any] | None = None
        self._ids: dict[str, list[int]] = {}
        with _errors():
            self._working()

    def is_in(self, kind: str) -> str:
        return f"= ANY(%s::{_ARRAYS[kind]})"

    def many(self, values: Sequence[Any], kind: type) -> Any:
        return list(values)

    def rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[Row]:
        with _errors():
            return iter(self._working().execute(sql, parameters).fetchall())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Statements are sent as they come; only one whose answer is asked for is waited for."""
        with _errors():
            connection = self._working()
            with (
                connection.pipeline() as pipeline,
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                yield cursor
                pipeline.sync()  # whatever went wrong shall be known before the COMMIT

    def insert(self, cursor: Any, sql: str, rows: Sequence[Row]) -> None:
        cursor.executemany(sql, rows)

    def beside(self, cursor: Any) -> Any:
        return cursor.connection.cursor()

    def take_ids(self, cursor: Any, table: str, count: int) -> list[int]:
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
        self.beside(cursor).execute(f"SELECT pg_advisory_xact_lock({ALONE})")

    def drop_ids(self) -> None:
        self._ids.clear()

    def move_offsets(
        self, cursor: Any, moves: Sequence[tuple[str, int, str, int, int]]
    ) -> Callable[[], int]:
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

    def create(self, metadata: sa.MetaData) -> None:
        engine = sa.create_engine(self._url, poolclass=sa.NullPool)
        try:
            with engine.begin() as connection:
                # Workers that start at once would trip over each other's tables.
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7205759403792793)"))
                metadata.create_all(connection)
                found = connection.exec_driver_sql(
                    "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
                )
                upgrade(connection, lacking(metadata, {name for (name,) in found}))
        except sa.exc.OperationalError as error:
            raise StoreUnavailableError(f"PostgreSQL: {error.orig}") from error
        finally:
            engine.dispose()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _working(self) -> "psycopg.Connection[Any]":
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options="-c synchronous_commit=on "
                f"-c idle_in_transaction_session_timeout={FROZEN_SECONDS * 1000}",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
            if self._connection.info.server_version >= 170000:
                # Within a pipeline, a session that waits for its client does not count as idle.
                self._connection.execute(f"SET transaction_timeout = {FROZEN_SECONDS * 1000}")
        return self._connection
