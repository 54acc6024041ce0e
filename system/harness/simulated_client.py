"""The Kafka client of one life of a worker, on a simulated Kafka."""

from collections.abc import Sequence

from order_sagas.bridges.kafka.consumer_listener import ShardOwner
from order_sagas.system.harness.simulated_consumer import SimulatedConsumer
from order_sagas.system.harness.simulated_kafka import SimulatedKafka
from order_sagas.system.harness.simulated_producer import SimulatedProducer
from order_sagas.system.harness.worker_state import WorkerState

GROUP = "order-sagas"
"""The consumer group of workers that run all roles, as the settings name it."""


class SimulatedClient:
    """Implements `ClientPort` for one life of a worker."""

    def __init__(self, kafka: SimulatedKafka, worker: WorkerState) -> None:
        self._kafka = kafka
        self._worker = worker
        self.group = GROUP
        self.longest_outage = float("inf")  # every simulated outage affects all workers
        self.consumers: list[SimulatedConsumer] = []
        self.producers: list[SimulatedProducer] = []

    def check_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Do nothing: all topics exist."""

    def producer(self) -> SimulatedProducer:
        """Create a producer, and register it with the broker."""
        producer = SimulatedProducer(self._kafka, self._worker)
        self.producers.append(producer)
        self._kafka.producers.append(producer)
        return producer

    def consumer(
        self, topics: Sequence[str], owner: ShardOwner, max_batch: int, max_outstanding: int
    ) -> SimulatedConsumer:
        """Create a consumer, and register it with the broker."""
        consumer = SimulatedConsumer(
            self._kafka, self._worker, topics, owner, max_batch, max_outstanding
        )
        self.consumers.append(consumer)
        self._kafka.consumers.append(consumer)
        return consumer

    def rebalance(self, seconds: float, *, lost: bool) -> None:
        """Let the worker's consumer leave the group, and join again `seconds` later."""
        for consumer in self.consumers:
            consumer.leave(seconds, lost=lost)

    def resume(self) -> None:
        """Continue after a pause of the process."""
        for producer in self.producers:
            producer.send()
        for consumer in self.consumers:
            consumer.poke()

    def fall_silent(self) -> None:
        """Stop heartbeats: the process is paused."""
        for consumer in self.consumers:
            consumer.fall_silent()

    def kill(self) -> None:
        """Handle the death of the process; some of the records it was sending still arrive."""
        for producer in self.producers:
            producer.kill()
        for consumer in self.consumers:
            consumer.kill()
