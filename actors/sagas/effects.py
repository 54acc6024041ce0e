"""The effects that a decision of a saga consists of: messages, timers, log events."""

from typing import Any

import msgspec

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.sagas.state import SagaState


class Send(msgspec.Struct, frozen=True, gc=False):
    """A message to be sent to a participant."""

    to: Participant
    message: Message


class Timer(msgspec.Struct, frozen=True, gc=False):
    """A timer for a deadline of a step. `at` is in seconds since the Unix epoch.

    Thespian cannot cancel a wakeup, so a timer names the wait that it ends. It is stale, and
    ignored, unless the step still has the deadline `at`.
    """

    at: float
    step: int
    attempt: int


class LogEvent(msgspec.Struct, frozen=True, gc=False):
    """A line for the log: one transition of a saga, or one message that was ignored."""

    event: str
    seq: int
    fields: dict[str, Any]


class OperatorOutcome(msgspec.Struct, frozen=True, gc=False):
    """The outcome of an operator's command: carried out, or `refused` with a reason.

    `at` is in seconds since the Unix epoch.
    """

    event_id: str
    saga_id: str
    action: str
    step: str
    by: str
    why: str
    at: float
    refused: str = ""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The new state of a saga, and its effects.

    `progress` is the same object as before if nothing changed.
    """

    progress: SagaState
    sends: list[Send]
    wakes: list[Timer]
    notes: list[LogEvent]
    early: str = ""
    """Why the message is to be delivered again later: it came before its step was sent."""
    operated: OperatorOutcome | None = None
    """The outcome of the message, if it is an operator's command."""
