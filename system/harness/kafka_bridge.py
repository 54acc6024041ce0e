"""The batch processor of Kafka in a harness, on the harness's database and a simulated Kafka."""

from collections.abc import Sequence

from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.kafka import KafkaBridge, ShardsAssigned
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.system.harness.bridges import Staged


class HarnessKafkaBridge(KafkaBridge, Staged):
    """The batch processor of Kafka. The simulated broker applies the faults of records."""

    asks_for_pauses = False  # the harness notifies it of each pause

    def open_log(self) -> None:
        """Open the log, with a watched store."""
        self.watch_store()
        super().open_log()

    def take(self, batch: Batch, limit: int) -> Sequence[Record]:
        """Take records; raises StoreUnavailableError if a `ReadFails` is planned."""
        taken = super().take(batch, limit)
        if taken:
            self.stage.database.before_read()
        return taken

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Place an outgoing record, and remember it until the commit."""
        self.worker.placed.append(outgoing)
        return super().place(batch, outgoing, shard)

    def given_back(self, batch: Batch) -> None:
        """Drop the outgoing records of a batch that is rolled back."""
        super().given_back(batch)
        self.worker.placed.clear()

    def _claim(self, asked: ShardsAssigned) -> None:
        self.stage.database.before_read()
        super()._claim(asked)
