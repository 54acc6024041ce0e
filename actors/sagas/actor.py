"""A saga in flight: an actor that carries out what `advance` decides, and nothing more."""

import traceback
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import structlog
from thespian.actors import Actor, ActorAddress, WakeupMessage

from actors.clock import Clock, iso
from actors.delivery import NO_BATCH, Delivery, Handled, NotHandled, Output
from actors.messages import Message
from actors.sagas.advance import Note, Wake, advance, wakes_of
from actors.sagas.definition import Saga
from actors.sagas.outages import Outages
from actors.sagas.progress import BACKOFF, UNDO_BACKOFF, Progress, StepState

_proxy = structlog.get_logger("sagas")


@cache
def _logger() -> Any:
    """Bound at the first line, when logging is set up: a proxy costs a quarter more for each."""
    return _proxy.bind()


_LEVELS = {
    "saga.step_timed_out": "warning",
    "saga.undo_timed_out": "warning",
    "saga.needs_attention": "error",
}
"""Everything else is information."""


LOOK_AGAIN = 1.0
"""Seconds between looks at a deadline that passed during an outage which lasts."""

LOOK_AGAIN_PAUSED = 10.0
"""The same during a pause, which may last for days, with very many sagas waiting."""


class Context(msgspec.Struct, frozen=True, gc=False):
    """What many sagas have in common; `timers` is the ticket of what their timers do."""

    saga: Saga
    bridge: ActorAddress
    clock: Clock
    outages: Outages
    timers: int


class Begin(msgspec.Struct, frozen=True, gc=False):
    """The first message of a saga actor: a delivery that starts it, or the progress it resumes."""

    context: Context
    delivery: Delivery | None = None
    progress: Progress | None = None


class SagaActor(Actor):
    """One saga. Its deadlines are wakeups; it ends when its coordinator says so, after the commit.

    Every delivery is acknowledged to the bridge with `Handled`; a timer that changed something is
    reported with `Handled` too, under the ticket of timers.
    """

    # No dictionary for each of a million: `_myRef` is what Thespian sets.
    __slots__ = ("_context", "_myRef", "_progress")

    _context: Context
    _progress: Progress | None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
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

    def _wake(self, wake: Wake) -> None:
        outages, now = self._context.outages, self._context.clock.now()
        if outages and self._progress:
            state = self._progress.steps[wake.step]
            still = self._still(wake, state, now)
            if still > 0 and state.deadline == wake.at:
                self.wakeupAfter(timedelta(seconds=still), wake)
                return
        self._advance(wake, now, NO_BATCH, self._context.timers)

    def _still(self, wake: Wake, state: StepState, now: float) -> float:
        """Seconds until another look at a deadline that was put off; 0.0 if it passes now."""
        outages = self._context.outages
        service = self._context.saga.rows[wake.step].to.name
        is_paused = outages.is_paused(service)
        if state.phase in (BACKOFF, UNDO_BACKOFF):
            # Not sent again to one who is paused; a pause before has put off what went before.
            paused = LOOK_AGAIN_PAUSED if is_paused else 0.0
        else:
            paused = outages.paused_for(service, state.since, now)
        still = wake.at + outages.length(state.since, now) + paused - now
        return max(still, LOOK_AGAIN_PAUSED if is_paused else LOOK_AGAIN) if still > 0 else 0.0

    def _advance(self, message: Message | Wake, now: float, batch: int, ticket: int) -> None:
        context, before = self._context, self._progress
        try:
            decision = advance(context.saga, before, message, now)
            outputs = [
                Output(send.to.topic, send.to.keyed_by(send.message), send.message)
                for send in decision.sends
            ]
            after = decision.progress
            if decision.wakes:
                self._set_timers(decision.wakes, now)
            if decision.notes:
                log_notes(after, decision.notes, now)
        except Exception:
            if batch == NO_BATCH:
                _logger().exception("saga.timer_failed", saga_id=before and before.saga_id)
            else:
                self.send(context.bridge, NotHandled(batch, ticket, traceback.format_exc()))
            return
        self._progress = after
        if after is not before:
            self.send(context.bridge, Handled(batch, ticket, outputs, (after,), (), decision.notes))
        elif batch != NO_BATCH:
            self.send(context.bridge, Handled(batch, ticket))

    def _set_timers(self, wakes: list[Wake], now: float) -> None:
        for wake in wakes:
            self.wakeupAfter(timedelta(seconds=max(0.0, wake.at - now)), wake)


def log_notes(progress: Progress, notes: list[Note], now: float) -> None:
    """One line of the log for each note; what a trace is made of."""
    timestamp, log = iso(now), _logger()
    for note in notes:
        event = note.event
        write = getattr(log, _LEVELS[event]) if event in _LEVELS else log.info
        write(
            event,
            timestamp=timestamp,
            saga=progress.saga,
            saga_id=progress.saga_id,
            order_id=progress.order_id,
            seq=note.seq,
            **note.fields,
        )
