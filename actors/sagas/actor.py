"""A saga in flight: an actor that carries out what `advance` decides, and nothing more."""

import traceback
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import structlog
from thespian.actors import Actor, ActorAddress, WakeupMessage

from actors.clock import Clock, iso
from actors.delivery import Delivery, Handled, NotHandled, Output, timer_ticket
from actors.messages import Message
from actors.sagas.advance import Note, Wake, advance, wakes_of
from actors.sagas.definition import Saga
from actors.sagas.outages import Outages
from actors.sagas.progress import Progress

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


class Begin(msgspec.Struct, frozen=True, gc=False):
    """The first message of a saga actor: a delivery that starts it, or the progress it resumes."""

    saga: Saga
    bridge: ActorAddress
    clock: Clock
    outages: Outages
    delivery: Delivery | None = None
    progress: Progress | None = None
    epoch: int = 0


class SagaActor(Actor):
    """One saga. Its deadlines are wakeups; it ends when its coordinator says so, after the commit.

    Every delivery is acknowledged to the bridge with `Handled`; a timer that changed something is
    reported with `Handled` too, under the ticket of timers.
    """

    _saga: Saga
    _bridge: ActorAddress
    _clock: Clock
    _outages: Outages
    _timer_ticket: int
    _progress: Progress | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        kind = type(message)
        if kind is Delivery:
            self._advance(message.message, message.now, message.ticket)
        elif kind is WakeupMessage:
            self._wake(message.payload)
        elif kind is Begin:
            self._saga, self._bridge, self._clock = message.saga, message.bridge, message.clock
            self._outages = message.outages
            self._timer_ticket = timer_ticket(message.epoch)
            self._progress = message.progress
            delivery = message.delivery
            if delivery:
                self._advance(delivery.message, delivery.now, delivery.ticket)
            elif self._progress:
                self._set_timers(wakes_of(self._progress), self._clock.now())

    def _wake(self, wake: Wake) -> None:
        now = self._clock.now()
        if self._outages and self._progress:
            state = self._progress.steps[wake.step]
            still = wake.at + self._outages.length(state.since, now) - now
            if still > 0 and state.deadline == wake.at:
                self.wakeupAfter(timedelta(seconds=max(still, LOOK_AGAIN)), wake)
                return
        self._advance(wake, now, self._timer_ticket)

    def _advance(self, message: Message | Wake, now: float, ticket: int) -> None:
        before = self._progress
        try:
            decision = advance(self._saga, before, message, now)
            outputs = [
                Output(send.to.topic, send.to.keyed_by(send.message), send.message)
                for send in decision.sends
            ]
        except Exception:
            if ticket < 0:
                _logger().exception("saga.timer_failed", saga_id=before and before.saga_id)
            else:
                self.send(self._bridge, NotHandled(ticket, traceback.format_exc()))
            return
        after = self._progress = decision.progress
        if decision.notes:
            log_notes(after, decision.notes, now)
        if decision.wakes:
            self._set_timers(decision.wakes, now)
        if after is not before:
            self.send(self._bridge, Handled(ticket, outputs, (after,)))
        elif ticket >= 0:
            self.send(self._bridge, Handled(ticket))

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
