"""The port for appending records from outside a worker, to the embedded log or to Kafka."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.storage.connection import Connection

DeadLetterRow = tuple[int, bytes | None, bytes | None, Headers]
"""A record of `dead-letters`: its number, key, value and headers."""

HEAD = 8192
"""Maximum number of bytes of a key and of a value when many dead letters are read."""

MARK = "dead-letter-mark"
"""The only header of a record that says what was done with a letter."""


def is_mark(headers: Headers) -> bool:
    """Whether a record of `dead-letters` says what was done with a letter."""
    return len(headers) == 1 and headers[0][0] == MARK


class DeadLetterSource(Protocol):
    """Reads dead letters, without opening the log for writing."""

    def letters(self, after: int | None = None) -> Iterator[DeadLetterRow]:
        """The records of `dead-letters`, oldest first: at most HEAD bytes of keys and values.

        Only those that come after the record with the number `after`, if there is one.
        """
        ...

    def marks(self) -> Iterator[DeadLetterRow]:
        """The records that mark letters as replayed or discarded, oldest first."""
        ...

    def whole(self, numbers: Sequence[int]) -> Iterator[DeadLetterRow]:
        """The whole records with these numbers, except those that do not exist."""
        ...


class LogWriter(Protocol):
    """Appends records to the embedded log, or to Kafka through an outbox.

    To be used by one thread.
    """

    partitions: int
    db: Connection
    waiting_text: str
    """Message for when no system is running: where the records wait."""
    left: int
    """Records that are committed but not in the log yet. A running system will publish them."""

    @property
    def dead_letters(self) -> DeadLetterSource:
        """The dead letters of the log."""
        ...

    @property
    def running(self) -> int | None:
        """How many systems handle the records; 0 if none runs, None before the first write."""
        ...

    def transaction(self) -> AbstractContextManager[Any]:
        """A cursor whose statements are committed at the end; then the records are published."""
        ...

    def outgoing(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> Outgoing:
        """A record with the partition of its key."""
        ...

    def put(self, cursor: Any, records: Iterable[Outgoing], *, handled: bool = False) -> None:
        """Write records within the transaction.

        Records that are `handled` need not be read by a system.
        """
        ...

    def append(self, *records: Outgoing) -> int:
        """Write records in a transaction of their own; return how many systems are running."""
        ...

    def end(self, topic: str) -> Mapping[int, int] | None:
        """The offset after the last record of each partition of a topic.

        None if the log is in the database, where waiting records can be counted.
        """
        ...

    def __enter__(self) -> "LogWriter": ...

    def __exit__(self, *_: object) -> None: ...
