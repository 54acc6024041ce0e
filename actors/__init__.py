"""The business: messages, entities, sagas and services.

Everything that an app of your own needs to define a saga can be imported from here; for an example
see `examples/returns.py`.
"""

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Failed, Message
from order_sagas.actors.sagas import (
    ONCE,
    Failure,
    Notice,
    Parallel,
    Participant,
    Retry,
    Saga,
    Step,
    hours,
    minutes,
    seconds,
)
from order_sagas.actors.services.call_limits import CallLimits
from order_sagas.actors.services.call_outcomes import After, Declined, NoAnswer
from order_sagas.actors.services.effect import Effect, UseClient
from order_sagas.actors.services.effects import EffectService
from order_sagas.actors.services.service import NOTHING, Answer, Service

__all__ = [
    "NOTHING",
    "ONCE",
    "After",
    "Answer",
    "CallLimits",
    "Declined",
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
    "Retry",
    "Saga",
    "Service",
    "Step",
    "UseClient",
    "hours",
    "minutes",
    "seconds",
]
