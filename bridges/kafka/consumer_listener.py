"""What the reader of topics and the owner of shards say to each other."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Protocol

import attrs

from order_sagas.bridges.records.record import Record


@attrs.frozen(eq=False)
class Batch:
    """Records that were read together, in order within each (topic, partition)."""

    records: list[Record]
    shards: frozenset[int]
    """Whose records they are."""


class ShardOwner(Protocol):
    """Who is told what the consumer reads and owns. Called on its threads, one call at a time.

    Every method must return at once: it posts a message, and answers by the future,
    `ConsumerPort.done` and `ConsumerPort.released`.
    """

    def on_assigned(self, shards: frozenset[int]) -> "Future[Mapping[tuple[str, int], int]]":
        """These shards are ours now: the offset to read next, for each (topic, partition).

        A partition without an answer is read from its earliest record. The answer may take its
        time (the consumer stays in the group meanwhile, and reads nothing). If this raises, or the
        future does, it is asked again a moment later. The consumer cancels the future when it has
        waited too long: an owner that has not begun by then must not begin.
        """
        ...

    def on_positions_moved(self, positions: Mapping[tuple[str, int], int]) -> None:
        """The topic has nothing where `on_assigned` said: these are read from here instead."""
        ...

    def on_ends(self, ends: Mapping[tuple[str, int], int]) -> None:
        """The offset behind the last record of each partition that was just assigned."""
        ...

    def on_batch(self, batch: Batch) -> None:
        """Here are records; say `done(batch)` once no more is to be done about them."""
        ...

    def on_revoked(self, shards: frozenset[int]) -> None:
        """Finish with these shards, then say `released(shards)`: another worker waits for them."""
        ...

    def on_lost(self, shards: frozenset[int]) -> None:
        """These shards are another's already: forget them; nothing of them can be committed."""
        ...

    def on_connected(self) -> None:
        """Kafka answers, for the first time or again."""
        ...

    def on_disconnected(self, reason: str) -> None:
        """Kafka does not answer; the reader goes on trying, and all goes on when it does."""
        ...
