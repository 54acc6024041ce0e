"""Sagas: declared as data, advanced by a pure function, carried out by an actor."""

from order_sagas.actors.sagas.advance import Decision, Note, Send, Wake, advance, wakes_of
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
from order_sagas.actors.sagas.progress import Entry, Phase, Progress, Status, StepState, saga_id_of
from order_sagas.actors.sagas.retry import ONCE, Retry

__all__ = [
    "ONCE",
    "Decision",
    "Entry",
    "Failure",
    "Note",
    "Notice",
    "Parallel",
    "Participant",
    "Phase",
    "Progress",
    "Retry",
    "Saga",
    "Send",
    "Status",
    "Step",
    "StepState",
    "Wake",
    "advance",
    "hours",
    "minutes",
    "saga_id_of",
    "seconds",
    "wakes_of",
]
