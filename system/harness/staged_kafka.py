"""The adapter of Kafka in a harness: the real one, on a simulated Kafka."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.consumer_events import ShardsAssigned
from order_sagas.bridges.processor.kafka import KafkaLogAdapter
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.simulated_client import SimulatedClient
from order_sagas.system.harness.simulated_kafka import SimulatedKafka
from order_sagas.system.harness.worker_state import WorkerState


class StagedKafka(KafkaLogAdapter):
    """The adapter of Kafka. Faults of records and acknowledgements are those of the broker."""

    stage: ClassVar[Stage]
    worker: ClassVar[WorkerState]
    polls_pauses = False  # the harness notifies it of each pause

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """Return the next records; a database fault may be raised after they are taken."""
        taken = super().poll(batch, limit)
        if taken:
            self.stage.database.before_read()
        return taken

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Note the record as placed, and emit it."""
        self.worker.placed.append(outgoing)
        return super().emit(batch, outgoing, shard)

    def given_back(self, batch: Batch) -> None:
        """Drop the outgoing records of a batch that is rolled back."""
        super().given_back(batch)
        self.worker.placed.clear()

    def _claim(self, asked: ShardsAssigned) -> None:
        self.stage.database.before_read()
        super()._claim(asked)


def put_kafka_on(stage: Stage, seed: int, latency: float) -> SimulatedKafka:
    """Give the workers of a stage a simulated Kafka, and return it. They need `StagedKafka`."""
    kafka = SimulatedKafka(stage, seed, latency)
    stage.client = partial(SimulatedClient, kafka)
    stage.arrive = kafka.append
    stage.between_messages = kafka.step
    return kafka
