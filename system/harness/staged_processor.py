"""The processor and the adapter of the embedded log in a harness: the real ones, with faults."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import attrs
from thespian.actors import ActorAddress, PoisonMessage

from order_sagas.actors.messages import status
from order_sagas.actors.protocol import Ack, Delivery, Nack
from order_sagas.actors.services.service import Service
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.processor.batch import Batch, Ticket
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.processor.messages import Connect
from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.log_queues import TO_READ
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.faulty_database import WatchedStore
from order_sagas.system.harness.incidents import ON_PURPOSE, raised_of
from order_sagas.system.harness.late_acks import AckQueues
from order_sagas.system.harness.worker_state import WorkerState


@attrs.frozen
class _LateAck:
    """The next acknowledgement of an actor is due."""

    sender: ActorAddress


class StagedProcessor(BatchProcessor):
    """A processor on the harness's database, whose deliveries may have faults."""

    stage: ClassVar[Stage]
    worker: ClassVar[WorkerState]
    _myRef: Any  # Thespian's: in a harness, the `Cell` of this actor

    def __init__(self) -> None:
        super().__init__()
        self._late_acks = AckQueues()

    @property
    def shards(self) -> dict[int, int]:
        """The shards it owns, as far as it knows, each with the epoch of its claim."""
        return self.ownership.epochs

    @property
    def is_idle(self) -> bool:
        """Whether no batch is open, and none was broken off."""
        return self.state is State.IDLE

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message; the first one gets a context with a watched store."""
        if type(message) is Connect:
            message = attrs.evolve(
                message, open_context=partial(self._watched, message.open_context)
            )
        elif type(message) is Ack and (self.stage.ack_delays or self._late_acks):
            if self._is_late(message, sender):
                return
        elif type(message) is _LateAck:
            message, sender = self._late_acks.take(message.sender), message.sender
        super().receiveMessage(message, sender)

    def _is_late(self, ack: Ack, sender: ActorAddress) -> bool:
        """Keep an acknowledgement until it is due, if a fault or an earlier one delays it."""
        stage, worker = self.stage, self.worker
        late = stage.ack_delays.delay(ack)
        due = self._late_acks.put(ack, sender, stage.clock.monotonic(), late)
        if due is None:
            return False

        def arrive() -> None:
            if worker.alive:
                self._myRef.base.inject(self.myAddress, self.myAddress, _LateAck(sender))

        stage.agenda.add(due, arrive)
        return True

    def _watched(self, opened: Callable[[], ProcessorContext]) -> ProcessorContext:
        """The context, with a store that shares its database's troubles."""
        context = opened()
        self.worker.stores.append(context.store)
        store = WatchedStore(context.store, self.stage.database, self.worker)
        return attrs.evolve(  # messages are handled when the worker runs
            context,
            store=store,  # type: ignore[arg-type]
            tell=partial(self._myRef.base.inject, self.myAddress, self.myAddress),
        )

    def _not_handled(self, failed: Nack) -> None:
        """Store the exception, unless a fault caused it."""
        batch = self._batch
        if batch and failed.batch == batch.number and ON_PURPOSE not in failed.error:
            self._note_raised(batch.tickets[failed.ticket], failed.error)
        super()._not_handled(failed)

    def _poisoned(self, poison: PoisonMessage) -> None:
        """Store an exception outside of a service's error handling, unless a fault caused it."""
        delivery, batch = poison.poisonMessage, self._batch
        # A delivery without its message is the way in which a fault lets an actor raise.
        is_delivery = isinstance(delivery, Delivery) and delivery.message is not None
        if is_delivery and batch and delivery.batch == batch.number:
            self._note_raised(batch.tickets[delivery.ticket], str(poison.details or ""))
        super()._poisoned(poison)

    def _note_raised(self, ticket: Ticket, error: str) -> None:
        message = ticket.item.message
        service = ticket.route.receiver if ticket.route.entity else ""
        self.stage.incidents.note(message.order_id, raised_of(service, status(message), error))

    def send(self, target: ActorAddress, message: Any) -> None:
        """Send a message; deliveries to services are subject to the service faults in force."""
        troubles = self.stage.troubles
        service = getattr(target, "actor", None) if type(message) is Delivery else None
        if not isinstance(service, Service):
            super().send(target, message)
            return
        if not troubles:
            troubles.passes(message.message)
            super().send(target, message)
            return
        put, name = self._myRef.base.inject, service.participant.name
        for each in troubles.meddle(name, put, self.myAddress, target, message):
            super().send(target, each)


class StagedEmbeddedLog(EmbeddedLogAdapter):
    """The adapter of the embedded log. A record that a fault hits is not handled in its batch."""

    stage: ClassVar[Stage]
    worker: ClassVar[WorkerState]

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Note the record as placed, and emit it, subject to the record faults in force."""
        stage = self.stage
        self.worker.placed.append(outgoing)
        arrives = outgoing.topic == DEAD_LETTERS or not stage.meddling
        trips = None if arrives else stage.meddling.trips(outgoing)
        if trips is None:
            return super().emit(batch, outgoing, shard)
        handled_here = False
        for trip in trips:
            if trip.wait < 0:
                handled_here = super().emit(batch, trip.outgoing, shard)
            elif trip.wait == 0:
                batch.appended.append((trip.outgoing, TO_READ))
            else:
                self.worker.held.append(trip)
        return handled_here

    def given_back(self, batch: Batch) -> None:
        """Drop the outgoing records of the batch, which is over."""
        super().given_back(batch)
        self.worker.placed.clear()
        self.worker.held.clear()
