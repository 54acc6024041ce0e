"""What every service is: an actor whose handlers are pure functions of state and message."""

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
    """What a handler decided: the entities to write, the replies to send, the calls to make.

    The entity that the bridge loaded, if it is written, comes first.
    """

    writes: tuple[Entity, ...] = ()
    replies: tuple[Message, ...] = ()
    calls: tuple[ExternalCall, ...] = ()
    later: tuple[tuple[float, Message], ...] = ()
    """Messages to get back after so many seconds; lost in a crash, so the state must imply them.

    A message that a timer brings already is not asked for twice: the same one of a batch that was
    rolled back and handled again, say.
    """


NOTHING = Answer()
"""The message changes nothing and needs no answer."""

Handler = Callable[[Any, Any, Any, float], Answer]


def reply_to(command: Message, reply: Message, now: float) -> Message:
    """The reply, with the ids that tie it to its command.

    The event id is the command's with the reply's status: answering twice gives one id.
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
    )


class Service(Actor):
    """Dispatches deliveries to `handlers` and acknowledges each with what came of it.

    A handler is a method `(state, message, now) -> Answer`. `state` is the entity of the message's
    order as this batch left it, or as the store has it, or None. A handler that raises must have no
    effect: the bridge is told and decides. So it changes no state of the service, except entities
    of `memory`, and those only once nothing can raise any more; a rollback restores them.
    """

    participant: ClassVar[Participant]
    entity: ClassVar[type[Entity]]
    """The entity that the bridge loads for each message, by order id."""
    entity_of: ClassVar[dict[type[Message], type[Entity]]] = {}
    """Messages that are about another entity than that."""
    memory: ClassVar[tuple[type[Entity], ...]] = ()
    """Entities that the service keeps in memory, all of them, from `RestoreEntities` on."""
    reminder: ClassVar[type[Message] | None] = None
    """The message that makes the service issue the external call that an entity owes."""
    handlers: ClassVar[dict[type[Message], Handler]]

    def __init__(self) -> None:
        super().__init__()
        self._batch = -1
        self._decided: dict[Any, Any] = {}
        self._timers: set[Message] = set()
        """The messages that timers will bring."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if type(message) is Delivery:
            self._deliver(message, sender)
        elif type(message) is WakeupMessage:
            # Set by this class, never its default None.
            bridge, again = message.payload  # pyright: ignore[reportGeneralTypeIssues]
            self._timers.discard(again)
            self.send(bridge, InternalMessage(again))
        else:
            self.receive_other(message, sender)

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """Anything but a delivery: settings, and what is restored at a start."""

    def _deliver(self, delivery: Delivery, sender: ActorAddress) -> None:
        message, now = delivery.message, delivery.now
        decided = self._decided
        if delivery.batch != self._batch:
            self._batch = delivery.batch
            decided.clear()
        order_id = message.order_id
        key: Any = order_id
        if type(message) in self.entity_of:
            key = type(message), order_id  # about another entity, whose id may be an order's
        try:
            answer = self.handlers[type(message)](
                self, decided.get(key, delivery.state), message, now
            )
            outputs: list[Output] | tuple[()] = ()
            if answer.replies:
                topic = self.participant.topic
                outputs = [
                    Output(topic, order_id, r if r.schema_version else reply_to(message, r, now))
                    for r in answer.replies
                ]
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
