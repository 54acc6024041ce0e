"""Sagas on an actor runtime: the public names for sagas and services of your own.

The names are loaded at their first use, so that a command that needs none of them starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from order_sagas.actors.entities import Entity
    from order_sagas.actors.errors import ReplyError
    from order_sagas.actors.messages import Failed, Message
    from order_sagas.actors.sagas.definition import (
        Delay,
        Each,
        Failure,
        Notice,
        Parallel,
        Participant,
        Remind,
        Saga,
        Step,
        Wait,
        days,
        hours,
        minutes,
        seconds,
    )
    from order_sagas.actors.sagas.known_replies import Replies
    from order_sagas.actors.sagas.participant import SIGNALS
    from order_sagas.actors.sagas.retry import ONCE, Retry
    from order_sagas.actors.sagas.step_mapping import StepMapping
    from order_sagas.actors.schedules import Schedule
    from order_sagas.actors.services.call_limits import CallLimits
    from order_sagas.actors.services.call_outcomes import After, Declined, NoAnswer
    from order_sagas.actors.services.effect import Effect
    from order_sagas.actors.services.effects import EffectService
    from order_sagas.actors.services.service import NOTHING, Answer, Service, UseClient

__all__ = [
    "NOTHING",
    "ONCE",
    "SIGNALS",
    "After",
    "Answer",
    "CallLimits",
    "Declined",
    "Delay",
    "Each",
    "Effect",
    "EffectService",
    "Entity",
    "Failed",
    "Failure",
    "Message",
    "NoAnswer",
    "Notice",
    "Parallel",
    "Participant",
    "Remind",
    "Replies",
    "ReplyError",
    "Retry",
    "Saga",
    "Schedule",
    "Service",
    "Step",
    "StepMapping",
    "UseClient",
    "Wait",
    "days",
    "hours",
    "minutes",
    "seconds",
]

_MODULES = {
    "Entity": "actors.entities",
    "Failed": "actors.messages",
    "Message": "actors.messages",
    "ReplyError": "actors.errors",
    "Delay": "actors.sagas.definition",
    "Each": "actors.sagas.definition",
    "Failure": "actors.sagas.definition",
    "Notice": "actors.sagas.definition",
    "Parallel": "actors.sagas.definition",
    "Participant": "actors.sagas.definition",
    "Remind": "actors.sagas.definition",
    "Saga": "actors.sagas.definition",
    "Step": "actors.sagas.definition",
    "Wait": "actors.sagas.definition",
    "days": "actors.sagas.definition",
    "hours": "actors.sagas.definition",
    "minutes": "actors.sagas.definition",
    "seconds": "actors.sagas.definition",
    "StepMapping": "actors.sagas.step_mapping",
    "Replies": "actors.sagas.known_replies",
    "SIGNALS": "actors.sagas.participant",
    "ONCE": "actors.sagas.retry",
    "Retry": "actors.sagas.retry",
    "CallLimits": "actors.services.call_limits",
    "After": "actors.services.call_outcomes",
    "Declined": "actors.services.call_outcomes",
    "NoAnswer": "actors.services.call_outcomes",
    "Effect": "actors.services.effect",
    "UseClient": "actors.services.service",
    "EffectService": "actors.services.effects",
    "NOTHING": "actors.services.service",
    "Schedule": "actors.schedules",
    "Answer": "actors.services.service",
    "Service": "actors.services.service",
}
"""The module of each public name."""


def __getattr__(name: str) -> Any:
    """Load a public name. Raises AttributeError for any other."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"order_sagas.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
