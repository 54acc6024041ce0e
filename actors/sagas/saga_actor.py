"""The actor of a saga in flight, which carries out the decisions of `advance`."""

import traceback
from datetime import timedelta
from typing import Any

import msgspec
from thespian.actors import Actor, ActorAddress, WakeupMessage

from order_sagas.actors.clock import Clock
from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import NO_BATCH, Ack, Delivery, Nack, Output
from order_sagas.actors.sagas.advance import Decision, Timer, advance, wakes_of
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.places import WHOLE_SAGA, is_valid, row_index
from order_sagas.actors.sagas.state import BACKOFF, UNDO_BACKOFF, SagaState
from order_sagas.actors.sagas.transition_log import log_notes, logger

LOOK_AGAIN = 1.0
"""Seconds between checks of a deadline that passed during an outage."""

LOOK_AGAIN_PAUSED = 10.0
"""Seconds between checks of a deadline that passed during a pause. Longer, because a pause may last
for days with very many sagas waiting."""


class Context(msgspec.Struct, frozen=True, gc=False):
    """What the sagas of one definition share.

    `timers` is the ticket of their timers' acknowledgements.
    """

    saga: Saga[Any]
    processor: ActorAddress
    clock: Clock
    outages: Outages
    timers: int


class Begin(msgspec.Struct, frozen=True, gc=False):
    """The first message to a saga actor: the delivery that starts the saga, or its stored state."""

    context: Context
    delivery: Delivery | None = None
    progress: SagaState | None = None


class SagaActor(Actor):
    """One saga in flight.

    Its deadlines are wakeups. The coordinator stops it after the end is committed.

    Acknowledges every delivery with an `Ack`, or with a `Nack` if the decision raises. A timer that
    changes the state is reported with an `Ack` of batch `NO_BATCH`.
    """

    # Saves a dictionary for each saga, of which there may be a million. Thespian sets `_myRef`.
    __slots__ = ("_context", "_myRef", "_progress")

    _context: Context
    _progress: SagaState | None

    @property
    def state(self) -> SagaState | None:
        """The state of the saga after its last transition; None before the first."""
        return self._progress

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle the first message, a delivery, or a wakeup."""
        kind = type(message)
        if kind is Delivery:
            self._advance(message.message, message.now, message.batch, message.ticket)
        elif kind is WakeupMessage:
            self._wake(message.payload)
        elif kind is Begin:
            self._context = message.context
            self._progress = message.progress
            delivery = message.delivery
            if delivery:
                self._advance(delivery.message, delivery.now, delivery.batch, delivery.ticket)
            elif self._progress:
                self._set_timers(wakes_of(self._progress), self._context.clock.now())

    def _wake(self, wake: Timer) -> None:
        outages, now = self._context.outages, self._context.clock.now()
        if outages and self._progress:
            delay = self._delay(wake, self._progress, now)
            if delay > 0 and is_valid(self._progress, wake):
                self.wakeupAfter(timedelta(seconds=delay), wake)
                return
        self._advance(wake, now, NO_BATCH, self._context.timers)

    def _delay(self, wake: Timer, progress: SagaState, now: float) -> float:
        """Seconds until a deadline that was put off is checked again; 0.0 if it passes now."""
        outages = self._context.outages
        if wake.step == WHOLE_SAGA:
            delay = wake.at + outages.length(progress.started_at, now) - now
            return max(delay, LOOK_AGAIN) if delay > 0 else 0.0
        state = progress.steps[wake.step]
        row = self._context.saga.rows[row_index(self._context.saga, progress, wake.step)]
        if row.kind == "delay":
            return 0.0  # waits for time, and not for an answer
        service = row.to.name
        is_paused = outages.is_paused(service)
        if state.phase in (BACKOFF, UNDO_BACKOFF):
            # Not sent again while the service is paused, or the log unavailable. Pauses and outages
            # that have ended do not count: they postponed the deadline before this backoff.
            if is_paused:
                return LOOK_AGAIN_PAUSED
            return LOOK_AGAIN if outages.is_lasting(now) else 0.0
        since = state.since
        if row.repeat_every and state.deadline < since + (row.within or 0.0):
            since = state.deadline - row.repeat_every  # the repetition before this one
        paused = outages.paused_for(service, since, now)
        delay = wake.at + outages.length(since, now) + paused - now
        return max(delay, LOOK_AGAIN_PAUSED if is_paused else LOOK_AGAIN) if delay > 0 else 0.0

    def _advance(self, message: Message | Timer, now: float, batch: int, ticket: int) -> None:
        context, before = self._context, self._progress
        try:
            decision = advance(context.saga, before, message, now)
            outputs = outputs_of(decision)
            after = decision.progress
            if decision.wakes:
                self._set_timers(decision.wakes, now)
            if decision.notes:
                log_notes(after, decision.notes, now)
        except Exception:
            if batch == NO_BATCH:
                logger().exception("saga.timer_failed", saga_id=before and before.saga_id)
            else:
                self.send(context.processor, Nack(batch, ticket, traceback.format_exc()))
            return
        self._progress = after
        operated = decision.operated
        if after is not before:
            ack = Ack(batch, ticket, outputs, (after,), (), decision.notes, "", operated)
            self.send(context.processor, ack)
        elif batch != NO_BATCH:
            ack = Ack(batch, ticket, outputs, early=decision.early, operated=operated)
            self.send(context.processor, ack)

    def _set_timers(self, wakes: list[Timer], now: float) -> None:
        for wake in wakes:
            self.wakeupAfter(timedelta(seconds=max(0.0, wake.at - now)), wake)


def outputs_of(decision: Decision) -> list[Output]:
    """The records of what a decision sends."""
    outputs = []
    for send in decision.sends:
        to, message = send.to, send.message
        outputs.append(Output(to.topic, to.keyed_by(message), message))
    return outputs
