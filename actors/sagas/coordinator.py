"""The parent of all sagas in flight: starts them, and finds the one a message is for."""

from typing import Any

import structlog
from thespian.actors import Actor, ActorAddress, ActorExitRequest

from actors.clock import Clock, iso
from actors.delivery import Delivery, Ended, Handled, Release, Restore, timer_ticket
from actors.messages import Message, OperatorCommand, status
from actors.sagas.actor import Begin, Context, SagaActor
from actors.sagas.definition import Saga
from actors.sagas.outages import Outages
from actors.sagas.progress import saga_id_of
from actors.sagas.registry import Registry

log = structlog.get_logger("sagas")


class Coordinate:
    """The coordinator's first message: the definitions, the bridge, and what time it is."""

    def __init__(
        self, registry: Registry, bridge: ActorAddress, clock: Clock, outages: Outages
    ) -> None:
        self.registry = registry
        self.bridge = bridge
        self.clock = clock
        self.outages = outages


class SagaCoordinator(Actor):
    """Holds the address of every saga in flight.

    A saga lives until its end is committed: until then a duplicate still finds it, and is
    ignored by it for the right reason. A message for no saga in flight is ignored, and logged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sagas: dict[str, ActorAddress] = {}

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        kind = type(message)
        if kind is Delivery:
            self._deliver(message)
        elif kind is Ended:
            for saga_id in message.saga_ids:
                self._exit(self._sagas.pop(saga_id, None))
        elif kind is Restore:
            self._restore(message)
        elif kind is Release:
            for saga_id in [*self._sagas] if message.saga_ids is None else message.saga_ids:
                self._exit(self._sagas.pop(saga_id, None))
        elif kind is Coordinate:
            self._registry: Registry = message.registry
            self._bridge: ActorAddress = message.bridge
            self._clock: Clock = message.clock
            self._outages: Outages = message.outages
            self._contexts: dict[tuple[str, int, int], Context] = {}

    def _deliver(self, delivery: Delivery) -> None:
        message = delivery.message
        saga = self._registry.started_by.get(type(message))
        if saga is None:
            self._forward(delivery, self._addressed(message))
            return
        saga_id = saga_id_of(saga.name, message.order_id)
        if saga_id in self._sagas or delivery.state is not None:
            self._forward(delivery, [saga_id])
            return
        address = self.createActor(SagaActor)
        self._sagas[saga_id] = address
        self.send(address, Begin(self._context(saga, 0), delivery))

    def _addressed(self, message: Message) -> list[str]:
        """The ids of the sagas that a message may be for, by what it says of itself."""
        if message.saga_id:
            return [message.saga_id]
        if isinstance(message, OperatorCommand):
            names = [message.saga] if message.saga else [*self._registry.newest]
        else:
            names = [*self._registry.answered_by.get(type(message), ())]
        return [saga_id_of(name, message.order_id) for name in names]

    def _forward(self, delivery: Delivery, saga_ids: list[str]) -> None:
        for saga_id in saga_ids:
            if saga_id in self._sagas:
                self.send(self._sagas[saga_id], delivery)
                return
        message, ended = delivery.message, delivery.state
        log.info(
            "saga.message_ignored",
            timestamp=iso(delivery.now),
            saga_id=ended.saga_id if ended else saga_ids[0] if saga_ids else "",
            order_id=message.order_id,
            seq=ended.seq if ended else 0,
            cause=message.event_id,
            status=status(message),
            reason="the saga has ended" if ended else "no saga of this order is known",
        )
        self.send(self._bridge, Handled(delivery.batch, delivery.ticket))

    def _restore(self, restore: Restore) -> None:
        for progress in restore.progresses:
            address = self.createActor(SagaActor)
            self._sagas[progress.saga_id] = address
            saga = self._registry.get(progress.saga, progress.version)
            begin = Begin(self._context(saga, restore.epoch), None, progress)
            self.send(address, begin)

    def _context(self, saga: Saga, epoch: int) -> Context:
        """What the sagas of one definition that were begun in one epoch have in common."""
        key = (saga.name, saga.version, epoch)
        if key not in self._contexts:
            self._contexts[key] = Context(
                saga, self._bridge, self._clock, self._outages, timer_ticket(epoch)
            )
        return self._contexts[key]

    def _exit(self, address: ActorAddress | None) -> None:
        if address is not None:
            self.send(address, ActorExitRequest())
