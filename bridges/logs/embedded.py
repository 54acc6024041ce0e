"""Writer for the embedded log, used from outside the system: submitters, operators, tests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.logs.doorbell import ring
from order_sagas.bridges.logs.log_writer import HEAD, MARK, DeadLetterRow, is_mark
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.headers import unpack
from order_sagas.bridges.storage.log_queues import HANDLED, TO_READ
from order_sagas.bridges.storage.log_table import append
from order_sagas.bridges.storage.reading import reading
from order_sagas.bridges.storage.store import Store

_ALL = "FROM log WHERE topic = 'dead-letters'"
_HEAD = "CASE WHEN length({0}) > {1} THEN substr({0}, 1, {1}) ELSE {0} END"
_HEADS = (
    f"SELECT position, {_HEAD.format('key', HEAD)}, {_HEAD.format('value', HEAD)}, headers {_ALL}"
)
_LETTERS = f"{_HEADS} ORDER BY position"
_LETTERS_AFTER = f"{_HEADS} AND position > %d ORDER BY position"
_MARKED = f'[["{MARK}",'.encode()
_MARKS = f"{_HEADS} AND substr(headers, 1, {len(_MARKED)}) = :marked ORDER BY position"
_WHOLE = f"SELECT position, key, value, headers {_ALL} AND position = %d"


class EmbeddedLetters:
    """The dead letters of an embedded log, read from a read-only connection."""

    def __init__(self, database: str) -> None:
        self._database = database

    def letters(self, after: int | None = None) -> Iterator[DeadLetterRow]:
        """The records of `dead-letters`; see `DeadLetterSource`. Raises StoreError."""
        return self._rows([_LETTERS if after is None else _LETTERS_AFTER % after])

    def marks(self) -> Iterator[DeadLetterRow]:
        """The records that mark letters as replayed or discarded; see `DeadLetterSource`."""
        rows = self._rows([_MARKS], {"marked": _MARKED})
        return (row for row in rows if is_mark(row[3]))

    def whole(self, numbers: Sequence[int]) -> Iterator[DeadLetterRow]:
        """The records with these numbers; see `DeadLetterSource`."""
        return self._rows([_WHOLE % number for number in numbers])

    def _rows(
        self, queries: Sequence[str], parameters: Mapping[str, bytes] | None = None
    ) -> Iterator[DeadLetterRow]:
        with reading(self._database) as db:
            for query in queries:
                rows = db.execution_options(stream_results=True).execute(sa.text(query), parameters)
                for number, key, value, headers in rows:
                    yield number, key, value, unpack(headers)


class EmbeddedLog:
    """Appends records to the embedded log, and rings the doorbell after each commit.

    If no system is running, the records wait in the log. Creates the database if it does not exist.
    Raises StoreError if it cannot be used, StoreUnavailableError if it stays locked for ten
    seconds.
    """

    waiting_text = "No system is running on this database: the records wait in its log."
    left = 0  # records that are committed are in the log

    def __init__(self, database: str, partitions: int, clock: Clock | None = None) -> None:
        self.database = database
        self.partitions = partitions
        self._clock = clock or SystemClock()
        Store(database, Registry(()), partitions).close()  # creates or checks the tables
        self.db = connect(database)
        self.dead_letters = EmbeddedLetters(database)

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    def __enter__(self) -> "EmbeddedLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor whose statements are committed together at the end; then the doorbell is rung.

        A running system has to wait for the end of the transaction, so keep it short.
        """
        with self.db.transaction() as cursor:
            yield cursor
        self.running = ring(self.database)

    running: int | None = None
    """How many systems were reached after the last transaction; 0 if none is running."""

    def outgoing(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> Outgoing:
        """A record with the partition of its key."""
        raw = key.encode()
        return Outgoing(topic, partition_for(raw, self.partitions), raw, value, headers)

    def put(self, cursor: Any, records: Iterable[Outgoing], *, handled: bool = False) -> None:
        """Append records within a transaction.

        Records that are `handled` are never read by a system.
        """
        append(
            self.db,
            cursor,
            [(record, HANDLED if handled else TO_READ) for record in records],
            self._clock.now(),
        )

    def end(self, topic: str) -> None:
        """Return None: the log is in the database, where waiting records can be counted."""

    def append(self, *records: Outgoing) -> int:
        """Append records in a transaction of their own; return how many systems are running."""
        with self.transaction() as cursor:
            self.put(cursor, records)
        return self.running or 0
