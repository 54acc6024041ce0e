"""A saga in flight: an actor that carries out what `advance` decides, and nothing more."""

import traceback
from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from thespian.actors import Actor, ActorAddress, WakeupMessage

from actors.clock import Clock, iso
from actors.delivery import Delivery, Handled, NotHandled, Output
from actors.messages import Message
from actors.sagas.advance import Note, Wake, advance, wakes_of
from actors.sagas.definition import Saga
from actors.sagas.progress import Progress

log = structlog.get_logger("sagas")

_LEVELS = {
    "saga.step_timed_out": "warning",
    "saga.undo_timed_out": "warning",
    "saga.needs_attention": "error",
}
"""Everything else is information."""


class Begin(NamedTuple):
    """The first message of a saga actor: a delivery that starts it, or the progress it resumes."""

    saga: Saga
    bridge: ActorAddress
    clock: Clock
    delivery: Delivery | None = None
    progress: Progress | None = None


class SagaActor(Actor):
    """One saga. Its deadlines are wakeups; it ends when its coordinator says so, after the commit.

    Every delivery is acknowledged to the bridge with `Handled`; a timer that changed something is
    reported with `Handled` too, without a ticket.
    """

    _saga: Saga
    _bridge: ActorAddress
    _clock: Clock
    _progress: Progress | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        kind = type(message)
        if kind is Delivery:
            self._advance(message.message, message.now, message.ticket)
        elif kind is WakeupMessage:
            self._advance(message.payload, self._clock.now(), None)
        elif kind is Begin:
            self._saga, self._bridge, self._clock, delivery, self._progress = message
            if delivery:
                self._advance(delivery.message, delivery.now, delivery.ticket)
            elif self._progress:
                self._set_timers(wakes_of(self._progress), self._clock.now())

    def _advance(self, message: Message | Wake, now: float, ticket: int | None) -> None:
        before = self._progress
        try:
            after, sends, wakes, notes = advance(self._saga, before, message, now)
            outputs = [Output(to.topic, to.keyed_by(sent), sent) for to, sent in sends]
        except Exception:
            if ticket is None:
                log.exception("saga.timer_failed", saga_id=before and before.saga_id)
            else:
                self.send(self._bridge, NotHandled(ticket, traceback.format_exc()))
            return
        self._progress = after
        if notes:
            log_notes(after, notes, now)
        if wakes:
            self._set_timers(wakes, now)
        if after is not before:
            self.send(self._bridge, Handled(ticket, outputs, (after,)))
        elif ticket is not None:
            self.send(self._bridge, Handled(ticket))

    def _set_timers(self, wakes: list[Wake], now: float) -> None:
        for wake in wakes:
            self.wakeupAfter(timedelta(seconds=max(0.0, wake.at - now)), wake)


def log_notes(progress: Progress, notes: list[Note], now: float) -> None:
    """One line of the log for each note; what a trace is made of."""
    timestamp = iso(now)
    for event, seq, fields in notes:
        write = getattr(log, _LEVELS[event]) if event in _LEVELS else log.info
        write(
            event,
            timestamp=timestamp,
            saga=progress.saga,
            saga_id=progress.saga_id,
            order_id=progress.order_id,
            seq=seq,
            **fields,
        )
