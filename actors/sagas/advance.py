"""The decision function of sagas.

    (definition, state, message, now) -> (state, messages to send, timers, log events)

It is pure: it uses no actor, Kafka, database or clock. The saga actor carries out its decisions. A
message that does not fit the current state changes nothing and is logged as ignored, with the
reason: with at-least-once delivery, duplicates and late replies are normal.
"""

from typing import Any

from order_sagas.actors.messages import Message, OperatorCommand, status
from order_sagas.actors.sagas.child_events import never_started
from order_sagas.actors.sagas.child_messages import UndoChild
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.effects import Decision, LogEvent, Send, Timer
from order_sagas.actors.sagas.operator_outcomes import with_outcome
from order_sagas.actors.sagas.places import WHOLE_SAGA
from order_sagas.actors.sagas.replies import Events
from order_sagas.actors.sagas.state import (
    COMPLETED,
    NO_DEADLINE,
    NOT_STARTED,
    RUNNING,
    UNDO_SENT,
    UNDONE,
    SagaState,
    saga_id_of,
)

__all__ = ["Decision", "LogEvent", "Send", "Timer", "advance", "wakes_of"]


def advance(
    saga: Saga[Any], progress: SagaState | None, message: Message | Timer, now: float
) -> Decision:
    """Decide what follows from `message` at `now` (seconds since the Unix epoch).

    `progress` is the state of the saga, or None for the message that starts it. Deterministic: the
    same arguments always give the same decision, including event ids and jitter. Raises TypeError
    if `progress` is None and the message is not the one that starts the saga.
    """
    if progress is None:
        if isinstance(message, UndoChild):
            return _blocked(saga, message, now)
        if type(message) is not saga.starts_on:
            raise TypeError(f"saga {saga.name!r} starts on {saga.starts_on.__name__}")
        turn = Events(saga, _unstarted(saga, message, now), now, _cause(message))
        turn.start()
        if turn.before.start.saga_id:
            turn.notes[0].fields["parent"] = turn.before.start.saga_id
        return turn.decision()
    turn = Events(saga, progress, now, "")
    if isinstance(message, Timer):
        turn.cause = _timer_name(turn, message)
        turn.deadline_passed(message)
    else:
        turn.cause = _cause(message)
        if progress.status >= COMPLETED:
            turn.after_end(message)
            if isinstance(message, OperatorCommand):
                return with_outcome(turn.decision(), message, progress, now)
        elif isinstance(message, OperatorCommand):
            turn.operator(message)
            return with_outcome(turn.decision(), message, progress, now)
        else:
            turn.reply(message)
    return turn.decision()


def wakes_of(progress: SagaState) -> list[Timer]:
    """The timers that a saga needs after it has been restored."""
    wakes = [
        Timer(state.deadline, i, state.attempt)
        for i, state in enumerate(progress.steps)
        if state.deadline
    ]
    if progress.due:
        wakes.append(Timer(progress.due, WHOLE_SAGA, 0))
    return wakes


def _blocked(saga: Saga[Any], message: UndoChild, now: float) -> Decision:
    """A child that is undone before it was started: its start will find that it has ended."""
    start = never_started(saga, message)
    turn = Events(saga, _unstarted(saga, start, now), now, _cause(message))
    turn.undo_child(message)
    return turn.decision()


def _cause(message: Any) -> str:
    return message.event_id or status(message)


def _timer_name(turn: Events, wake: Timer) -> str:
    if wake.step == WHOLE_SAGA:
        return "timer:deadline"
    undo = ":undo" if UNDO_SENT <= turn.steps[wake.step].phase <= UNDONE else ""
    return f"timer:{turn.rows[wake.step].name}{undo}:{wake.attempt}"


def _unstarted(saga: Saga[Any], start: Any, now: float) -> SagaState:
    return SagaState(
        saga_id=saga_id_of(saga.name, start.order_id),
        order_id=start.order_id,
        saga=saga.name,
        version=saga.version,
        status=RUNNING,
        stage=0,
        steps=(NOT_STARTED,) * len(saga.rows),
        start=start,
        started_at=now,
        due=now + saga.deadline if saga.deadline else NO_DEADLINE,
    )
