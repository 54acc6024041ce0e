"""The port between the consumer and the owner of shards."""

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
    """The shards that the records belong to."""


HELD = -1
"""In place of an offset: the partition is not read, and the owner is asked again later."""


@attrs.frozen
class Extent:
    """The offset of the first record of a partition, and the offset behind the last one."""

    begin: int
    end: int
    topic_id: str = ""
    """The id that Kafka gave the topic when it was created; empty if the broker returns none."""


class ShardOwner(Protocol):
    """Receives what the consumer reads and owns. Called on its threads, one call at a time.

    Every method must return at once: it posts a message, and answers later through the future,
    `ConsumerPort.done` and `ConsumerPort.released`.
    """

    def on_assigned(self, shards: frozenset[int]) -> "Future[Mapping[tuple[str, int], int]]":
        """These shards are owned now; returns the offset to read next, for each (topic, partition).

        A partition without an offset is read from its earliest record, and one with HELD in its
        place is not read until the owner, who is asked again every few seconds, answers otherwise.
        `on_extents` was called for all their partitions just before. The answer may take time;
        the consumer stays in the group meanwhile, and reads nothing. If this method or the future
        raises, the method is called again a moment later. The consumer cancels the future after
        waiting too long; an owner that has not begun by then must not begin.
        """
        ...

    def on_extents(self, extents: Mapping[tuple[str, int], Extent]) -> None:
        """What the partitions hold for which `on_assigned` is about to be called."""
        ...

    def on_batch(self, batch: Batch) -> None:
        """Handle these records, then call `done(batch)`."""
        ...

    def on_revoked(self, shards: frozenset[int]) -> None:
        """Finish with these shards, then call `released(shards)`; another worker waits for it."""
        ...

    def on_lost(self, shards: frozenset[int]) -> None:
        """Drop these shards: another worker may own them, and nothing of them can be committed."""
        ...

    def on_connected(self) -> None:
        """Kafka is reachable, for the first time or again."""
        ...

    def on_disconnected(self, reason: str) -> None:
        """Kafka is unreachable. The consumer retries, and goes on by itself once it succeeds."""
        ...
