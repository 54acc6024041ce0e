"""The coordinator: the parent of all saga actors of a worker, which routes messages to them."""

import traceback
from collections.abc import Sequence
from typing import Any

import structlog
from thespian.actors import Actor, ActorAddress, ActorExitRequest

from order_sagas.actors.clock import Clock, iso
from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.messages import OperatorCommand, status
from order_sagas.actors.protocol import (
    Ack,
    Delivery,
    Ended,
    EvictSagas,
    Nack,
    Output,
    Restore,
    timer_ticket,
)
from order_sagas.actors.sagas.advance import advance
from order_sagas.actors.sagas.child_messages import UndoChild, parent_of
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.operator_outcomes import outcome_of
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.saga_actor import (
    Begin,
    Context,
    SagaActor,
    outputs_of,
)
from order_sagas.actors.sagas.state import SagaState
from order_sagas.actors.sagas.transition_log import log_notes

log = structlog.get_logger("sagas")


class Coordinate:
    """The first message to the coordinator, with everything that it needs."""

    def __init__(
        self, registry: Registry, processor: ActorAddress, clock: Clock, outages: Outages
    ) -> None:
        self.registry = registry
        self.processor = processor
        self.clock = clock
        self.outages = outages


class SagaCoordinator(Actor):
    """Starts saga actors, and keeps the address of each saga in flight.

    A saga actor is stopped only when the end of its saga has been committed, so that a duplicate
    that arrives before is ignored by the saga, with the right reason. A reply for an order without
    a saga is early: the processor keeps it. Any other message that belongs to no saga in flight is
    logged as ignored, and acknowledged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sagas: dict[str, ActorAddress] = {}

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a delivery, or start, restore, end or evict sagas."""
        kind = type(message)
        if kind is Delivery:
            self._deliver(message)
        elif kind is Ended:
            for saga_id in message.saga_ids:
                self._exit(self._sagas.pop(saga_id, None))
        elif kind is Restore:
            self._restore(message)
        elif kind is EvictSagas:
            for saga_id in [*self._sagas] if message.saga_ids is None else message.saga_ids:
                self._exit(self._sagas.pop(saga_id, None))
        elif kind is Coordinate:
            self._registry: Registry = message.registry
            self._processor: ActorAddress = message.processor
            self._clock: Clock = message.clock
            self._outages: Outages = message.outages
            self._contexts: dict[tuple[str, int, int], Context] = {}

    def _deliver(self, delivery: Delivery) -> None:
        message = delivery.message
        saga_ids = self._registry.saga_ids_of(message)
        saga = self._registry.started_by.get(type(message))
        if saga is None or saga_ids[0] in self._sagas or delivery.state is not None:
            self._forward(delivery, saga_ids)
            return
        saga_id = saga_ids[0]
        address = self.createActor(SagaActor)
        self._sagas[saga_id] = address
        self.send(address, Begin(self._context(saga, 0), delivery))

    def _forward(self, delivery: Delivery, saga_ids: Sequence[str]) -> None:
        for saga_id in saga_ids:
            if saga_id in self._sagas:
                self.send(self._sagas[saga_id], delivery)
                return
        message, ended = delivery.message, delivery.state
        if isinstance(message, UndoChild) or (ended and parent_of(message)):
            self._deliver_to_child(delivery)
            return
        if ended is None and type(message) in self._registry.may_be_early:
            early = "no saga of this order has begun"
            self.send(self._processor, Ack(delivery.batch, delivery.ticket, early=early))
            return
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
        outputs = self._after_end(ended, delivery) if ended else []
        operated = None
        if isinstance(message, OperatorCommand):
            why = "the saga has ended" if ended else "no saga of this order is known"
            saga_id = ended.saga_id if ended else saga_ids[0] if saga_ids else ""
            operated = outcome_of(message, saga_id, ended.seq if ended else 0, delivery.now, why)
        self.send(self._processor, Ack(delivery.batch, delivery.ticket, outputs, operated=operated))

    def _after_end(self, ended: SagaState, delivery: Delivery) -> list[Output]:
        """What is still sent for a saga that has ended: compensations of events that came late."""
        try:
            saga = self._registry.get(ended.saga, ended.version)
        except UnknownSagaError:
            return []
        return outputs_of(advance(saga, ended, delivery.message, delivery.now))

    def _deliver_to_child(self, delivery: Delivery) -> None:
        """Handle a message for a child saga that has ended, or that was never started.

        It may bring the saga back: a completed one is undone, one that was never started is stored
        as cancelled. Else the parent gets the answer again.
        """
        message, ended = delivery.message, delivery.state
        try:
            if ended:
                saga = self._registry.get(ended.saga, ended.version)
                saga_id, decision = ended.saga_id, advance(saga, ended, message, delivery.now)
            else:
                saga_id = message.saga_id
                saga, decision = self._registry.get_newest(saga_id.partition("/")[0]), None
        except Exception:
            error = traceback.format_exc()
            self.send(self._processor, Nack(delivery.batch, delivery.ticket, error))
            return
        if decision and decision.progress is ended:
            log_notes(ended, decision.notes, delivery.now)
            outputs = outputs_of(decision)
            self.send(self._processor, Ack(delivery.batch, delivery.ticket, outputs))
            return
        address = self._sagas[saga_id] = self.createActor(SagaActor)
        self.send(address, Begin(self._context(saga, 0), delivery, ended))

    def _restore(self, restore: Restore) -> None:
        for progress in restore.progresses:
            address = self.createActor(SagaActor)
            self._sagas[progress.saga_id] = address
            saga = self._registry.get(progress.saga, progress.version)
            begin = Begin(self._context(saga, restore.epoch), None, progress)
            self.send(address, begin)

    def _context(self, saga: Saga[Any], epoch: int) -> Context:
        """The context that the sagas of one definition and one epoch share."""
        key = (saga.name, saga.version, epoch)
        if key not in self._contexts:
            self._contexts[key] = Context(
                saga, self._processor, self._clock, self._outages, timer_ticket(epoch)
            )
        return self._contexts[key]

    def _exit(self, address: ActorAddress | None) -> None:
        if address is not None:
            self.send(address, ActorExitRequest())
