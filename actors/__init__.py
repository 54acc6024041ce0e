"""The business: messages, entities, sagas and services.

Everything that an app of your own needs to define a saga can be imported from here; for an example
see `examples/returns.py`.
"""

from order_sagas.actors.entities import Entity
from order_sagas.actors.errors import ReplyError
from order_sagas.actors.messages import Failed, Message
from order_sagas.actors.sagas import (
    ONCE,
    SIGNALS,
    Delay,
    Each,
    Failure,
    Notice,
    Parallel,
    Participant,
    Remind,
    Replies,
    Retry,
    Saga,
    Step,
    Wait,
    days,
    hours,
    minutes,
    seconds,
)
from order_sagas.actors.services.service import NOTHING, Answer, Service

__all__ = [
    "NOTHING",
    "ONCE",
    "SIGNALS",
    "Answer",
    "Delay",
    "Each",
    "Entity",
    "Failed",
    "Failure",
    "Message",
    "Notice",
    "Parallel",
    "Participant",
    "Remind",
    "Replies",
    "ReplyError",
    "Retry",
    "Saga",
    "Service",
    "Step",
    "Wait",
    "days",
    "hours",
    "minutes",
    "seconds",
]
