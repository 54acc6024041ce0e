"""The batch processor of the embedded log in a harness, with faults of records and services."""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
from thespian.actors import ActorAddress

from order_sagas.actors.participants import DEAD_LETTERS
from order_sagas.actors.protocol import Delivery
from order_sagas.actors.services.service import Service
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.embedded import EmbeddedBridge
from order_sagas.bridges.processor.processor import Bridge
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.log_queues import TO_READ
from order_sagas.system.harness.faulty_database import WatchedStore

if TYPE_CHECKING:
    from order_sagas.system.harness.environment import Stage
    from order_sagas.system.harness.simulated_worker import Worker


class Staged(Bridge):
    """A batch processor with the database, the faults and the worker of a harness."""

    stage: ClassVar["Stage"]
    worker: ClassVar["Worker"]
    _myRef: Any  # Thespian's: in a harness, the `Cell` of this actor

    @property
    def shards(self) -> dict[int, int]:
        """The shards that it believes to own, with the epoch of the claim."""
        return self._epochs

    @property
    def is_idle(self) -> bool:
        """True if no batch is open, and none waits for the database."""
        return self._batch is None and not self._away

    def watch_store(self) -> ProcessorContext:
        """Replace the store by a `WatchedStore`, and return the updated context."""
        known: object = self._world.store
        if not isinstance(known, WatchedStore):
            self.worker.stores.append(self._world.store)
            store = WatchedStore(self._world.store, self.stage.database, self.worker)
            self._world = attrs.evolve(  # the message is handled when the worker runs next
                self._world,
                store=store,  # type: ignore[arg-type]
                tell=partial(self._myRef.base.inject, self.myAddress, self.myAddress),
            )
        return self._world

    def send(self, target: ActorAddress, message: Any) -> None:
        """Send a message; deliveries to services are subject to the service faults in force."""
        troubles = self.stage.troubles
        if type(message) is not Delivery or not troubles:
            super().send(target, message)
            return
        service = getattr(target, "actor", None)
        if not isinstance(service, Service):
            super().send(target, message)
            return
        put, name = self._myRef.base.inject, service.participant.name
        for each in troubles.meddle(name, put, self.myAddress, target, message):
            super().send(target, each)

    def given_back(self, batch: Batch) -> None:
        """Drop the outgoing records of a batch that is rolled back."""
        super().given_back(batch)
        self.worker.placed.clear()
        self.worker.held.clear()


class HarnessEmbeddedBridge(EmbeddedBridge, Staged):
    """The batch processor of the embedded log. A faulty record is not handled in its own batch."""

    def open_log(self) -> None:
        """Open the log, with a watched store."""
        self.watch_store()
        super().open_log()

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Place an outgoing record, subject to the record faults in force."""
        stage = self.stage
        self.worker.placed.append(outgoing)
        arrives = outgoing.topic == DEAD_LETTERS or not stage.meddling
        trips = None if arrives else stage.meddling.trips(outgoing)
        if trips is None:
            return super().place(batch, outgoing, shard)
        handled_here = False
        for trip in trips:
            if trip.wait < 0:
                handled_here = super().place(batch, trip.outgoing, shard)
            elif trip.wait == 0:
                batch.appended.append((trip.outgoing, TO_READ))
            else:
                self.worker.held.append(trip)
        return handled_here
