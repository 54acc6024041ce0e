"""What a saga decides: messages to send, timers to set, lines to log."""

from typing import Any

import msgspec

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.sagas.state import SagaState


class Send(msgspec.Struct, frozen=True, gc=False):
    """A message for a participant."""

    to: Participant
    message: Message


class Timer(msgspec.Struct, frozen=True, gc=False):
    """A timer, and which wait it ends: it is stale unless the step still waits until just `at`.

    Thespian cannot cancel a wakeup, so the timer carries its identity.
    """

    at: float
    step: int
    attempt: int


class LogEvent(msgspec.Struct, frozen=True, gc=False):
    """A line for the log: one transition, or one message that was ignored."""

    event: str
    seq: int
    fields: dict[str, Any]


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What to do. `progress` is the very same object when nothing changed."""

    progress: SagaState
    sends: list[Send]
    wakes: list[Timer]
    notes: list[LogEvent]
