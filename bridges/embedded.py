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
from bridges.store.queues import HANDLED, LEFT, LEFT_FOR_OTHERS, LOG

NEW = 4
"""The fourth part of a batch is for new orders, however much is under way."""


class EmbeddedBridge(Bridge):
    """Reads the records of its shards in the order in which they were appended, whatever topic.

    What another worker left for this one comes first: a saga under way, which has a deadline, does
    not wait behind ten thousand orders that have yet to begin. Order is kept per key within each of
    the two, what was left and the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self._positions: dict[str, dict[int, int]] = {}
        self._left_for_others = False
        self._left_for_us = True

    def open_log(self) -> None:
        store = self._world.store
        shards = sorted(self._world.shards or range(store.partitions))
        claim = store.claim([LOG, LEFT], shards)
        self._positions = {
            queue: {shard: claim.offsets[queue, shard] for shard in shards} for queue in (LEFT, LOG)
        }
        self._left_for_us = True
        self.gain(claim.epochs)

    def take(self, batch: Batch, limit: int) -> Sequence[Record]:
        left = self._read(LEFT, limit - limit // NEW, batch) if self._left_for_us else []
        if self._shards is None and (LEFT, 0) not in batch.offsets:
            self._left_for_us = False  # all shards are ours: there is nobody to leave more
        return left + self._read(LOG, limit - len(left), batch)

    @property
    def _shards(self) -> list[int] | None:
        """Ours; None for all there are."""
        ours = self._positions[LOG]
        return sorted(ours) if len(ours) < self._world.store.partitions else None

    def _read(self, queue: str, limit: int, batch: Batch) -> list[Record]:
        positions = self._positions[queue]
        begin = min(positions.values())
        records = self._world.store.read_log(begin, limit, self._shards, queue)
        if not records:
            return records
        end = records[-1].offset
        for shard, at in positions.items():
            batch.offsets[queue, shard] = (at, max(at, end))
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
        batch.appended.append((outgoing, HANDLED if ours else LEFT_FOR_OTHERS))
        return ours

    def committed(self, batch: Batch, outbox: list[int]) -> None:
        for (queue, shard), (_, end) in batch.offsets.items():
            self._positions[queue][shard] = end
        if self._left_for_others:
            self._left_for_others = False
            self._world.ring()

    def rolled_back(self) -> None:
        self.open_log()
