"""Kafka in memory and on virtual time: topics, one consumer group, and the client of each worker.

Single-threaded: the thread of a consumer is simulated in steps, which run after events that it
would notice. The same seed gives the same order of events.
"""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from order_sagas.bridges.kafka.consumer_listener import ShardOwner
from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.harness.memory_topics import Topics
from order_sagas.system.harness.simulated_consumer import SimulatedConsumer
from order_sagas.system.harness.simulated_group import Group
from order_sagas.system.harness.simulated_producer import SimulatedProducer

if TYPE_CHECKING:
    from order_sagas.system.harness.environment import Stage
    from order_sagas.system.harness.simulated_worker import Worker

GROUP = "order-sagas"
"""The consumer group of workers that run all roles, as the settings name it."""


class SimulatedKafka:
    """The broker.

    Acknowledgements, fetches and notices of a rebalance take up to `latency` seconds; if that is 0,
    they take no time.
    """

    def __init__(self, stage: "Stage", seed: int, latency: float) -> None:
        self.stage = stage
        self.rng = random.Random(f"kafka/{seed}")
        self.latency = latency
        self.topics = Topics()
        self.now = stage.clock.monotonic
        self.consumers: list[SimulatedConsumer] = []
        self.producers: list[SimulatedProducer] = []
        self.group = Group(stage.agenda, self.now, stage.partitions, self.late, self.wake)
        self._back_at = 0.0

    @property
    def is_up(self) -> bool:
        """True if the broker answers requests."""
        return self.now() >= self._back_at

    def late(self, most: float) -> float:
        """Draw a delay of at most `most` seconds; 0.0 without latency."""
        return self.rng.uniform(0.0, most) if self.latency else 0.0

    def request(self) -> bool:
        """Count a request; return True if it is answered."""
        seconds = self.stage.kafka_troubles.away()
        if seconds is not None:
            self._back_at = max(self._back_at, self.now() + seconds)
            self.stage.agenda.add(self._back_at, self._is_back)
            self.wake()
        return self.is_up

    def come_back(self) -> None:
        """End an outage."""
        self._back_at = 0.0
        self._is_back()

    def append(self, outgoing: Outgoing, now: float) -> None:
        """Append a record to its partition."""
        self.topics.append(outgoing, now)
        self.wake()

    def wake(self) -> None:
        """Poke every consumer."""
        for consumer in self.consumers:
            consumer.poke()

    def step(self) -> bool:
        """Run the threads of poked consumers until they wait; return True if one ran."""
        if not any(consumer.poked for consumer in self.consumers):
            return False
        waiting = [consumer for consumer in self.consumers if consumer.poked]
        if len(waiting) > 1:
            self.rng.shuffle(waiting)
        with self.stage.points.disarmed():  # this is not the event loop of a worker
            done = [consumer.step() for consumer in waiting]
        return any(done)

    def _is_back(self) -> None:
        if self.is_up:
            for producer in [*self.producers]:
                producer.send()
            self.wake()


class SimulatedClient:
    """Implements `ClientPort` for one life of a worker."""

    def __init__(self, kafka: SimulatedKafka, worker: "Worker") -> None:
        self._kafka = kafka
        self._worker = worker
        self.group = GROUP
        self.consumers: list[SimulatedConsumer] = []
        self.producers: list[SimulatedProducer] = []

    def check_topics(self, topics: Sequence[str], partitions: int) -> None:
        """See `ClientPort.check_topics`; all topics exist."""

    def producer(self) -> SimulatedProducer:
        """See `ClientPort.producer`."""
        producer = SimulatedProducer(self._kafka, self._worker)
        self.producers.append(producer)
        self._kafka.producers.append(producer)
        return producer

    def consumer(
        self, topics: Sequence[str], owner: ShardOwner, max_batch: int, max_outstanding: int
    ) -> SimulatedConsumer:
        """See `ClientPort.consumer`."""
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
