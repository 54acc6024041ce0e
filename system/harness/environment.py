"""The environment of the workers: clock, database, faults, and the records sent.

It outlives the crashes of workers.
"""

import random
from collections.abc import Callable
from typing import Any

from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from order_sagas.system.harness.call_faults import Calls
from order_sagas.system.harness.clock import HarnessClock
from order_sagas.system.harness.crashes import CrashPoints
from order_sagas.system.harness.faulty_database import Database
from order_sagas.system.harness.incidents import Incidents
from order_sagas.system.harness.kafka_troubles import KafkaTroubles
from order_sagas.system.harness.late_acks import AckDelays
from order_sagas.system.harness.record_faults import Meddling, Trip
from order_sagas.system.harness.scheduler import Agenda
from order_sagas.system.harness.service_faults import Troubles
from order_sagas.system.harness.worker_state import WorkerState

Watcher = Callable[[Changes], None]
"""Called with the changes of each commit."""
Arrive = Callable[[Outgoing, float], None]
"""Appends a record to the log, at a time in seconds since the Unix epoch."""


def _nothing() -> None:
    """Do nothing: no thread of a Kafka client has to run."""


def _no_client(worker: WorkerState) -> Any:
    """Return None: there is no Kafka."""
    return None


class Stage:
    """The environment in which workers run. `sent` has every outgoing record that was committed."""

    arrive: Arrive
    """Appends a record to the log."""

    def __init__(self, registry: Registry, rng: random.Random, partitions: int) -> None:
        self.clock = HarnessClock()
        self.rng = rng
        self.partitions = partitions
        self.agenda = Agenda()
        self.incidents = Incidents(self.clock.monotonic)
        struck = self.incidents.struck
        self.database = Database(self._committed, struck)
        self.points = CrashPoints()
        self.calls = Calls()
        self.ack_delays = AckDelays(struck)
        self.meddling = Meddling(self.clock.monotonic, struck)
        self.troubles = Troubles(registry, self.clock.monotonic, struck)
        self.kafka_troubles = KafkaTroubles(self.clock.monotonic, struck)
        self.client: Callable[[WorkerState], Any] = _no_client
        """Creates a worker's Kafka client; it returns None on the embedded log."""
        self.between_messages: Callable[[], object] = _nothing
        """Runs the simulated threads of Kafka clients between the messages of an event loop."""
        self.sent: list[Outgoing] = []
        self.watchers: list[Watcher] = []

    def publish(self, outgoing: Outgoing) -> None:
        """Send a record to the log, subject to the record faults in force."""
        arrives = outgoing.topic == DEAD_LETTERS or not self.meddling
        trips = None if arrives else self.meddling.trips(outgoing)
        if trips is None:
            self.arrive(outgoing, self.clock.now())
            return
        for trip in trips:
            self._travel(trip)

    def outgoing(self, topic: str, key: str, value: bytes | None) -> Outgoing:
        """Build a record with the partition of its key."""
        raw = key.encode()
        return Outgoing(topic, partition_for(raw, self.partitions), raw, value)

    def _travel(self, trip: Trip) -> None:
        def land() -> None:
            self.arrive(trip.outgoing, self.clock.now())

        self.agenda.add(self.clock.monotonic() + max(trip.wait, 0.0), land)

    def _committed(self, worker: WorkerState, changes: Changes) -> None:
        self.sent += worker.placed
        self.incidents.committed(worker.placed, changes)
        worker.placed.clear()
        for trip in worker.held:
            self._travel(trip)
        worker.held.clear()
        for watch in self.watchers:
            watch(changes)
