"""Sagas: defined as data, advanced by a pure function, run by an actor for each saga."""

from order_sagas.actors.sagas.advance import Decision, LogEvent, Send, Timer, advance, wakes_of
from order_sagas.actors.sagas.definition import Failure, Notice, Saga
from order_sagas.actors.sagas.durations import days, hours, minutes, seconds
from order_sagas.actors.sagas.known_replies import Replies
from order_sagas.actors.sagas.participant import SIGNALS, Participant
from order_sagas.actors.sagas.retry import ONCE, Retry
from order_sagas.actors.sagas.rows import Delay, Each, Parallel, Remind, Wait
from order_sagas.actors.sagas.state import (
    HistoryEntry,
    Phase,
    SagaState,
    Status,
    StepState,
    saga_id_of,
)
from order_sagas.actors.sagas.step import Step

__all__ = [
    "ONCE",
    "SIGNALS",
    "Decision",
    "Delay",
    "Each",
    "Failure",
    "HistoryEntry",
    "LogEvent",
    "Notice",
    "Parallel",
    "Participant",
    "Phase",
    "Remind",
    "Replies",
    "Retry",
    "Saga",
    "SagaState",
    "Send",
    "Status",
    "Step",
    "StepState",
    "Timer",
    "Wait",
    "advance",
    "days",
    "hours",
    "minutes",
    "saga_id_of",
    "seconds",
    "wakes_of",
]
