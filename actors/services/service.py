"""Base class of the services: an actor whose handlers are functions of state and message."""

import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace
from thespian.actors import Actor, ActorAddress, WakeupMessage

from order_sagas.actors.clock import iso
from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import SCHEMA_VERSION, Message, status
from order_sagas.actors.protocol import Ack, Delivery, ExternalCall, InternalMessage, Nack, Output
from order_sagas.actors.sagas.definition import Participant


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The result of a handler: entities to store, replies to send, external calls to make.

    If the entity that was loaded for the message is stored, it must be the first of `writes`.
    """

    writes: tuple[Entity, ...] = ()
    replies: tuple[Message, ...] = ()
    calls: tuple[ExternalCall, ...] = ()
    later: tuple[tuple[float, Message], ...] = ()
    """Messages to the service itself, each with a delay in seconds. They are lost in a restart, so
    they must follow from the stored state. A message for which a timer is already set is not
    scheduled a second time, for example when a batch is handled again after a rollback."""


class UseClient(msgspec.Struct, frozen=True):
    """Sets what a service calls another system with; the first message to the service."""

    client: Any
    since: float = 0.0
    """When the process started, in seconds since the Unix epoch."""


NOTHING = Answer()
"""The message changes nothing and gets no reply."""

Handler = Callable[[Any, Any, Any, float], Answer]
"""A method `(self, state, message, now) -> Answer`."""


def reply_to(command: Message, reply: Message, now: float) -> Message:
    """The reply with the ids of the command that it answers.

    Its event id is derived from the command's, so that a repeated reply has the same id.
    """
    return replace(
        reply,
        event_id=f"{command.event_id}/{status(reply)}" if command.event_id else "",
        saga_id=command.saga_id,
        step=command.step,
        attempt=command.attempt,
        causation_id=command.event_id,
        occurred_at=iso(now),
        schema_version=SCHEMA_VERSION,
        traceparent=command.traceparent,
        tracestate=command.tracestate,
    )


class Service(Actor):
    """Calls the handler of each delivery, and acknowledges the delivery with the result.

    A handler is a method `(state, message, now) -> Answer`. `state` is the entity of the message's
    order, as changed earlier in this batch or as stored, or None; `now` is in seconds since the
    Unix epoch. If a handler raises, the delivery is answered with a `Nack`, and must have had no
    effect. So a handler must not change the service itself, except for entities of `memory`, and
    those only after everything that can raise. After a rollback they are restored.
    """

    participant: ClassVar[Participant]
    """The service as sagas see it."""
    entity: ClassVar[type[Entity]]
    """The entity that is loaded for each message, by order id."""
    entity_of: ClassVar[dict[type[Message], type[Entity]]] = {}
    """Messages for which another entity is loaded."""
    memory: ClassVar[tuple[type[Entity], ...]] = ()
    """Entities that the service keeps in memory, all of them. They are set by `RestoreEntities`."""
    reminder: ClassVar[type[Message] | None] = None
    """The message that makes the service repeat the external call of a pending entity."""
    handlers: ClassVar[dict[type[Message], Handler]]
    """The handler of each message."""

    def __init__(self) -> None:
        super().__init__()
        self._batch = -1
        self._decided: dict[Any, Any] = {}
        self._timers: set[Message] = set()
        """The messages for which timers are set."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a delivery, a wakeup, or a setting."""
        if type(message) is Delivery:
            self._deliver(message, sender)
        elif type(message) is WakeupMessage:
            # Set by this class, never its default None.
            processor, again = message.payload  # pyright: ignore[reportGeneralTypeIssues]
            self._timers.discard(again)
            self.send(processor, InternalMessage(again))
        else:
            self.receive_other(message, sender)

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """Handle anything but deliveries and wakeups: settings, and restored entities."""

    def _deliver(self, delivery: Delivery, sender: ActorAddress) -> None:
        message, now = delivery.message, delivery.now
        decided = self._decided
        if delivery.batch != self._batch:
            self._batch = delivery.batch
            decided.clear()
        order_id = message.order_id
        key: Any = order_id
        if type(message) in self.entity_of:
            key = type(message), order_id  # another entity, whose id may equal an order's
        try:
            answer = self.handlers[type(message)](
                self, decided.get(key, delivery.state), message, now
            )
            outputs: list[Output] = []
            for reply in answer.replies:
                if not reply.schema_version:
                    reply = reply_to(message, reply, now)
                outputs.append(Output(self.participant.topic, reply.order_id, reply))
        except Exception:
            failed = Nack(delivery.batch, delivery.ticket, traceback.format_exc())
            self.send(sender, failed)
            return
        if answer.writes:
            decided[key] = answer.writes[0]
        for seconds, again in answer.later:
            if again not in self._timers:
                self._timers.add(again)
                self.wakeupAfter(timedelta(seconds=seconds), (sender, again))
        handled = Ack(delivery.batch, delivery.ticket, outputs, answer.writes, answer.calls)
        self.send(sender, handled)
