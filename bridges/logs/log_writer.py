"""How records get into the log from outside the system, whichever log it is."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.storage.connection import Connection

LetterRow = tuple[int, bytes | None, bytes | None, Headers]
"""A record of `dead-letters`: its number, key, value and headers."""


class LogWriter(Protocol):
    """The embedded log, or an outbox on the way to Kafka. Used by one thread."""

    partitions: int
    db: Connection
    nobody: str
    """Says that no system handles what was written, and where it waits."""
    left: int
    """Records that are committed and not yet in the log: whoever runs the system puts them in."""

    @property
    def running(self) -> int | None:
        """How many systems handle what was written; 0 if none runs, None before the first write."""
        ...

    def transaction(self) -> AbstractContextManager[Any]:
        """A cursor; at the end its work is committed, and the records are on their way."""
        ...

    def outgoing(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> Outgoing:
        """A record with the partition that its key belongs to."""
        ...

    def put(self, cursor: Any, records: Iterable[Outgoing], *, handled: bool = False) -> None:
        """Write records within the transaction; nobody has to read those that are `handled`."""
        ...

    def append(self, *records: Outgoing) -> int:
        """Put records in a transaction of their own; answers how many systems are running."""
        ...

    def end(self, topic: str) -> Mapping[int, int] | None:
        """The offset behind the last record of each partition of a topic.

        None where the log is in the database, which knows by itself what waits in it.
        """
        ...

    def letters(self) -> Iterator[LetterRow]:
        """What is among the dead letters, the oldest first; marks come behind their letters."""
        ...

    def __enter__(self) -> "LogWriter": ...

    def __exit__(self, *_: object) -> None: ...
