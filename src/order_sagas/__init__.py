"""Sagas on an actor runtime: the public names for sagas and services of your own.

The names are loaded at their first use, so that a command that needs none of them starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from order_sagas.actors.entities import Entity
    from order_sagas.actors.errors import ReplyError
    from order_sagas.actors.messages import Failed, Message
    from order_sagas.actors.rules import Stored, rule
    from order_sagas.actors.sagas.child import Child
    from order_sagas.actors.sagas.child_messages import ChildCancelled, ChildCompleted
    from order_sagas.actors.sagas.definition import Failure, Notice, Saga
    from order_sagas.actors.sagas.durations import days, hours, minutes, seconds
    from order_sagas.actors.sagas.known_replies import Replies
    from order_sagas.actors.sagas.participant import SIGNALS, Participant
    from order_sagas.actors.sagas.retry import ONCE, Retry
    from order_sagas.actors.sagas.rows import Delay, Each, Parallel, Remind, Wait
    from order_sagas.actors.sagas.step import Step
    from order_sagas.actors.sagas.step_mapping import StepMapping
    from order_sagas.actors.schedules import Schedule
    from order_sagas.actors.services.call_limits import CallLimits
    from order_sagas.actors.services.call_outcomes import After, Declined, NoAnswer
    from order_sagas.actors.services.effect import Effect
    from order_sagas.actors.services.effects import EffectService
    from order_sagas.actors.services.local_effects import LocalEffect, LocalEffectService
    from order_sagas.actors.services.service import NOTHING, Answer, Service, UseClient
    from order_sagas.system.app import App
    from order_sagas.system.settings.model import Settings

__all__ = [
    "NOTHING",
    "ONCE",
    "SIGNALS",
    "After",
    "Answer",
    "App",
    "CallLimits",
    "Child",
    "ChildCancelled",
    "ChildCompleted",
    "Declined",
    "Delay",
    "Each",
    "Effect",
    "EffectService",
    "Entity",
    "Failed",
    "Failure",
    "LocalEffect",
    "LocalEffectService",
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
    "Settings",
    "Step",
    "StepMapping",
    "Stored",
    "UseClient",
    "Wait",
    "days",
    "hours",
    "minutes",
    "rule",
    "seconds",
]

_MODULES = {
    "Entity": "actors.entities",
    "ReplyError": "actors.errors",
    "Failed": "actors.messages",
    "Message": "actors.messages",
    "Stored": "actors.rules",
    "rule": "actors.rules",
    "Child": "actors.sagas.child",
    "ChildCancelled": "actors.sagas.child_messages",
    "ChildCompleted": "actors.sagas.child_messages",
    "Failure": "actors.sagas.definition",
    "Notice": "actors.sagas.definition",
    "Saga": "actors.sagas.definition",
    "days": "actors.sagas.durations",
    "hours": "actors.sagas.durations",
    "minutes": "actors.sagas.durations",
    "seconds": "actors.sagas.durations",
    "Replies": "actors.sagas.known_replies",
    "SIGNALS": "actors.sagas.participant",
    "Participant": "actors.sagas.participant",
    "ONCE": "actors.sagas.retry",
    "Retry": "actors.sagas.retry",
    "Delay": "actors.sagas.rows",
    "Each": "actors.sagas.rows",
    "Parallel": "actors.sagas.rows",
    "Remind": "actors.sagas.rows",
    "Wait": "actors.sagas.rows",
    "Step": "actors.sagas.step",
    "StepMapping": "actors.sagas.step_mapping",
    "CallLimits": "actors.services.call_limits",
    "After": "actors.services.call_outcomes",
    "Declined": "actors.services.call_outcomes",
    "NoAnswer": "actors.services.call_outcomes",
    "Effect": "actors.services.effect",
    "UseClient": "actors.services.service",
    "EffectService": "actors.services.effects",
    "LocalEffect": "actors.services.local_effects",
    "LocalEffectService": "actors.services.local_effects",
    "NOTHING": "actors.services.service",
    "Schedule": "actors.schedules",
    "Answer": "actors.services.service",
    "Service": "actors.services.service",
    "App": "system.app",
    "Settings": "system.settings.model",
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
