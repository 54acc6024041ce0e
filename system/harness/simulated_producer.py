"""The producer of one life of a worker, on a simulated Kafka."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.kafka.errors import NotAcknowledgedError, RecordTooLargeError
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.harness.simulated_kafka import SimulatedKafka
from order_sagas.system.harness.worker_state import WorkerState

DELIVERY_TIMEOUT = 120.0
"""Seconds after which an unacknowledged record fails."""


class _Waiting(NamedTuple):
    due: float
    given_up_at: float
    record: Outgoing
    place: int
    publication: Publication


class SimulatedProducer:
    """Implements `ProducerPort`. Only records of one partition keep their order."""

    def __init__(self, kafka: SimulatedKafka, worker: WorkerState) -> None:
        self._kafka = kafka
        self._worker = worker
        self._waiting: deque[_Waiting] = deque()
        self._open = True
        self._sending = False

    def start(self, topics: Sequence[str] = ()) -> None:
        """Do nothing: the broker is in memory."""

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        """Send records after a random delay, in random order of their partitions."""
        kafka, publication = self._kafka, Publication(len(records))
        by_partition: dict[tuple[str, int], list[int]] = {}
        for place, record in enumerate(records):
            by_partition.setdefault((record.topic, record.partition), []).append(place)
        order = [*by_partition.values()]
        kafka.rng.shuffle(order)
        now = kafka.now()
        due = max(now + kafka.late(kafka.latency), self._waiting[-1].due if self._waiting else 0.0)
        for place in [place for places in order for place in places]:
            self._waiting.append(
                _Waiting(due, now + DELIVERY_TIMEOUT, records[place], place, publication)
            )
        if due > now:
            kafka.stage.agenda.add(due, self.send)
        else:
            self.send()
        return publication

    def send(self) -> None:
        """Write all due records, unless the process is paused or the broker unavailable."""
        if self._sending or not self._open or self._worker.paused:
            return
        self._sending = True
        try:
            self._send(self._kafka.now())
        finally:
            self._sending = False

    def close(self, timeout: float = 10.0) -> None:
        """Send all waiting records, if the broker is available, and drop the others."""
        while self._waiting and self._kafka.request():
            self._write(self._waiting.popleft())
        self._give_up()

    def kill(self) -> None:
        """Handle the death of the process: a random number of waiting records still arrive."""
        sent = self._kafka.rng.randint(0, len(self._waiting)) if self._waiting else 0
        for waiting in [self._waiting.popleft() for _ in range(sent)]:
            if self._kafka.is_up:
                self._kafka.stage.publish(waiting.record)
        self._give_up()

    def _give_up(self) -> None:
        self._open = False
        self._waiting.clear()
        if self in self._kafka.producers:
            self._kafka.producers.remove(self)

    def _send(self, now: float) -> None:
        waiting, kafka = self._waiting, self._kafka
        while waiting and waiting[0].due <= now:
            if waiting[0].given_up_at <= now:
                late = waiting.popleft()
                error = NotAcknowledgedError(f"not delivered within {DELIVERY_TIMEOUT:g} s")
                late.publication.fail(late.place, error)
                continue
            if not kafka.request():
                kafka.stage.agenda.add(waiting[0].given_up_at, self.send)
                return
            self._write(waiting.popleft())

    def _write(self, waiting: _Waiting) -> None:
        _, _, record, place, publication = waiting
        troubles = self._kafka.stage.kafka_troubles
        letter = record.topic == DEAD_LETTERS
        if not letter and troubles.is_too_large(record):
            publication.fail(place, RecordTooLargeError("too large, on purpose"))
            return
        written = troubles.acknowledgement(record)
        if written is not False:
            self._kafka.stage.publish(record)
        if written is None:
            publication.settle(1)
        else:
            publication.fail(place, NotAcknowledgedError("not acknowledged, on purpose"))
