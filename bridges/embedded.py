"""The bridge to the embedded log: a table of the same SQLite database that holds everything else.

State, offsets and outgoing records are one commit there, so that a batch follows its own outputs:
what a handler sends is handled in the same batch, and the whole cascade is one transaction.
"""

from collections.abc import Sequence

from bridges.batch import Batch
from bridges.bridge import Bridge
from bridges.record import Outgoing, Record

LOG = "log"
"""The topic under which the offsets of the embedded log are kept: one position for all topics."""


class EmbeddedBridge(Bridge):
    """Reads records in the order in which they were appended, whatever their topic."""

    def __init__(self) -> None:
        super().__init__()
        self._position = 0

    def open_log(self) -> None:
        store = self._world.store
        claim = store.claim([LOG], list(range(store.partitions)))
        self._position = min(claim.offsets.values())
        self.gain(claim.epochs)

    def take(self, batch: Batch) -> Sequence[Record]:
        records = self._world.store.read_log(self._position, self._world.batch_size)
        if records:
            end = records[-1].offset
            batch.offsets = {(LOG, shard): (self._position, end) for shard in self._epochs}
        return records

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        batch.appended.append((outgoing, True))
        return True

    def committed(self, batch: Batch, outbox: list[int]) -> None:
        for _, end in batch.offsets.values():
            self._position = end
            break

    def rolled_back(self) -> None:
        self.open_log()  # fails for good if another process claimed the log: there is one reader
