"""Messages from the consumer's thread to the processor."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import attrs

from order_sagas.bridges.kafka.consumer_listener import Batch, Extent
from order_sagas.bridges.kafka.ports import ConsumerPort


@attrs.frozen
class ShardsAssigned:
    """Shards were assigned. Claim them; `positions` takes the offsets at which to read on."""

    shards: frozenset[int]
    positions: "Future[Mapping[tuple[str, int], int]]"


@attrs.frozen
class ShardsRevoked:
    """Shards are being revoked. Commit what they are part of, then release them."""

    shards: frozenset[int]


@attrs.frozen
class ShardsLost:
    """Shards were lost: other workers may own them already. Drop them."""

    shards: frozenset[int]


@attrs.frozen
class PartitionExtents:
    """What partitions hold that are about to be assigned."""

    extents: Mapping[tuple[str, int], Extent]


@attrs.frozen
class RecordsRead:
    """Records of shards that were assigned when the records were read."""

    handover: Batch


@attrs.frozen
class Connection:
    """The connection to Kafka was established or lost."""

    up: bool


class ForwardingOwner:
    """The `ShardOwner` of a consumer: forwards each call to the processor as a message.

    `tell` sends a message to the processor from any thread.
    """

    def __init__(self, tell: Callable[[Any], None]) -> None:
        self._tell = tell
        self._closing = False
        self._asked: ShardsAssigned | None = None
        self.reader: ConsumerPort | None = None
        self.assigned: frozenset[int] = frozenset()

    def close(self) -> None:
        """Reply to the consumer itself from now on: the processor handles no more messages."""
        self._closing = True
        if self._asked:
            self._asked.positions.cancel()  # wakes the consumer's thread, which then stops

    def on_assigned(self, shards: frozenset[int]) -> "Future[Mapping[tuple[str, int], int]]":
        """Send ShardsAssigned; return its future. Raises RuntimeError while the worker stops."""
        if self._closing:
            raise RuntimeError("the worker is stopping")
        self.assigned |= shards
        asked = self._asked = ShardsAssigned(shards, Future())
        self._tell(asked)
        return asked.positions

    def on_extents(self, extents: Mapping[tuple[str, int], Extent]) -> None:
        """Send PartitionExtents."""
        self._tell(PartitionExtents(extents))

    def on_batch(self, batch: Batch) -> None:
        """Send RecordsRead."""
        self._tell(RecordsRead(batch))

    def on_revoked(self, shards: frozenset[int]) -> None:
        """Send ShardsRevoked; release the shards at once if the processor is closed."""
        self.assigned -= shards
        if self._closing and self.reader:
            self.reader.released(shards)
        else:
            self._tell(ShardsRevoked(shards))

    def on_lost(self, shards: frozenset[int]) -> None:
        """Send ShardsLost."""
        self.assigned -= shards
        self._tell(ShardsLost(shards))

    def on_connected(self) -> None:
        """Send that Kafka can be reached."""
        self._tell(Connection(True))

    def on_disconnected(self, reason: str) -> None:
        """Send that Kafka cannot be reached."""
        self._tell(Connection(False))
