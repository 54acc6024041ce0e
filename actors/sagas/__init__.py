"""Sagas: defined as data, advanced by a pure function, run by an actor for each saga."""

from order_sagas.actors.sagas.advance import Decision, LogEvent, Send, Timer, advance, wakes_of
from order_sagas.actors.sagas.definition import (
    Failure,
    Notice,
    Parallel,
    Participant,
    Saga,
    Step,
    hours,
    minutes,
    seconds,
)
from order_sagas.actors.sagas.retry import ONCE, Retry
from order_sagas.actors.sagas.state import (
    HistoryEntry,
    Phase,
    SagaState,
    Status,
    StepState,
    saga_id_of,
)

__all__ = [
    "ONCE",
    "Decision",
    "Failure",
    "HistoryEntry",
    "LogEvent",
    "Notice",
    "Parallel",
    "Participant",
    "Phase",
    "Retry",
    "Saga",
    "SagaState",
    "Send",
    "Status",
    "Step",
    "StepState",
    "Timer",
    "advance",
    "hours",
    "minutes",
    "saga_id_of",
    "seconds",
    "wakes_of",
]
