"""All that outlives a worker: its clock, database, topics, surroundings, and what goes wrong."""

import random
from collections.abc import Callable

from actors.participants import DEAD_LETTERS
from actors.sagas.registry import Registry
from bridges.partitions import partition_for
from bridges.record import Outgoing
from bridges.store.store import Changes, Store
from system.harness.agenda import Agenda
from system.harness.clock import HarnessClock
from system.harness.crashes import CrashPoints
from system.harness.database import Database
from system.harness.meddling import Meddling, Trip
from system.harness.outside import Calls, VirtualCalls
from system.harness.topics import Topics
from system.harness.troubles import Troubles

Watcher = Callable[[Changes], None]
Arrive = Callable[[Outgoing, float], None]


class Stage:
    """What a worker is started on. `sent` is every record that was committed to be sent."""

    def __init__(self, registry: Registry, rng: random.Random, partitions: int) -> None:
        self.clock = HarnessClock()
        self.rng = rng
        self.partitions = partitions
        self.agenda = Agenda()
        self.database = Database(self._committed)
        self.topics = Topics()
        self.points = CrashPoints()
        self.calls = Calls()
        self.meddling = Meddling(self.clock.monotonic)
        self.troubles = Troubles(registry, self.clock.monotonic)
        self.sent: list[Outgoing] = []
        self.placed: list[Outgoing] = []
        """What the open batch wants to send."""
        self.held: list[Trip] = []
        """What the open batch sends and a fault delays."""
        self.stores: list[Store] = []
        """Connections that the worker has open."""
        self.call_runners: list[VirtualCalls] = []
        self.watchers: list[Watcher] = []
        self.arrive: Arrive = self.topics.append

    def publish(self, outgoing: Outgoing) -> None:
        """Let a record travel: it arrives now, later, twice, damaged, or not at all."""
        arrives = outgoing.topic == DEAD_LETTERS or not self.meddling
        trips = None if arrives else self.meddling.trips(outgoing)
        if trips is None:
            self.arrive(outgoing, self.clock.now())
            return
        for trip in trips:
            self._travel(trip)

    def call_runner(self) -> VirtualCalls:
        """What makes the external calls of a new life of the worker."""
        runner = VirtualCalls(self)
        self.call_runners.append(runner)
        return runner

    def outgoing(self, topic: str, key: str, value: bytes | None) -> Outgoing:
        """A record with the partition that its key belongs to."""
        raw = key.encode()
        return Outgoing(topic, partition_for(raw, self.partitions), raw, value)

    def _travel(self, trip: Trip) -> None:
        def land() -> None:
            self.arrive(trip.outgoing, self.clock.now())

        self.agenda.add(self.clock.monotonic() + max(trip.wait, 0.0), land)

    def _committed(self, changes: Changes) -> None:
        self.sent += self.placed
        self.placed.clear()
        for trip in self.held:
            self._travel(trip)
        self.held.clear()
        for watch in self.watchers:
            watch(changes)
