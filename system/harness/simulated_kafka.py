"""Kafka in memory and on virtual time: topics and one consumer group.

Single-threaded: the thread of a consumer is simulated in steps, which run after events that it
would notice. The same seed gives the same order of events.
"""

import random
from typing import Protocol

from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.memory_topics import Topics
from order_sagas.system.harness.simulated_group import Group


class ConsumerThread(Protocol):
    """The simulated thread of a consumer, as the broker sees it."""

    poked: bool
    """True if the thread has something to do."""

    def poke(self) -> None:
        """Note an event that the thread would notice."""
        ...

    def step(self) -> bool:
        """Run the thread until it waits; return True if it ran."""
        ...


class Sender(Protocol):
    """A producer, as the broker sees it."""

    def send(self) -> None:
        """Write all due records, unless the process is paused or the broker unavailable."""
        ...


class SimulatedKafka:
    """The broker.

    Acknowledgements, fetches and notices of a rebalance take up to `latency` seconds; if that is 0,
    they take no time.
    """

    def __init__(self, stage: Stage, seed: int, latency: float) -> None:
        self.stage = stage
        self.rng = random.Random(f"kafka/{seed}")
        self.latency = latency
        self.topics = Topics()
        self.now = stage.clock.monotonic
        self.consumers: list[ConsumerThread] = []
        self.producers: list[Sender] = []
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
