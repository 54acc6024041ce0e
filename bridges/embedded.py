"""The bridge to the embedded log: a table of the same SQLite database that holds everything else.

State, offsets and outgoing records are one commit there, so that a batch follows its own outputs:
what a handler sends is handled in the same batch, and the whole cascade is one transaction. What
belongs to a shard of another worker is left in the log for it, and its bell is rung.
"""

from collections.abc import Sequence

from actors.participants import DEAD_LETTERS
from bridges.batch import Batch, Item
from bridges.bridge import Bridge
from bridges.record import Outgoing, Record

LOG = "log"
"""The topic under which the offsets of the embedded log are kept: one position for all topics."""


class EmbeddedBridge(Bridge):
    """Reads the records of its shards in the order in which they were appended, whatever topic."""

    def __init__(self) -> None:
        super().__init__()
        self._positions: dict[int, int] = {}
        self._left_for_others = False

    def open_log(self) -> None:
        store = self._world.store
        shards = sorted(self._world.shards or range(store.partitions))
        claim = store.claim([LOG], shards)
        self._positions = {shard: claim.offsets[LOG, shard] for shard in shards}
        self.gain(claim.epochs)

    def take(self, batch: Batch) -> Sequence[Record]:
        positions, store = self._positions, self._world.store
        begin = min(positions.values())
        shards = sorted(positions) if len(positions) < store.partitions else None
        records = store.read_log(begin, self._world.batch_size, shards)
        if not records:
            return records
        end = records[-1].offset
        batch.offsets = {(LOG, shard): (at, max(at, end)) for shard, at in positions.items()}
        # What somebody put among the dead letters is one, and is not made one over and over again.
        # A shard that came from another worker may be further than the others.
        return [
            record
            for record in records
            if record.topic != DEAD_LETTERS and record.offset > positions[record.partition]
        ]

    def elsewhere(self, item: Item) -> bytes | None:
        return None if self._world.shards is None else self.key_elsewhere(item)

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        ours = outgoing.partition in self._epochs or outgoing.topic == DEAD_LETTERS
        self._left_for_others = self._left_for_others or not ours
        batch.appended.append((outgoing, ours))
        return ours

    def committed(self, batch: Batch, outbox: list[int]) -> None:
        for (_, shard), (_, end) in batch.offsets.items():
            self._positions[shard] = end
        if self._left_for_others:
            self._left_for_others = False
            self._world.ring()

    def rolled_back(self) -> None:
        self.open_log()
