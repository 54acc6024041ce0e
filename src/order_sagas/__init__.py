"""Sagas on an actor runtime: the public names for sagas and services of your own.

The names are loaded at their first use, so that a command that needs none of them starts fast.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from order_sagas.actors import (
        NOTHING,
        ONCE,
        SIGNALS,
        Answer,
        Delay,
        Each,
        Entity,
        Failed,
        Failure,
        Message,
        Notice,
        Parallel,
        Participant,
        Remind,
        Replies,
        ReplyError,
        Retry,
        Saga,
        Service,
        Step,
        Wait,
        days,
        hours,
        minutes,
        seconds,
    )

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


def __getattr__(name: str) -> Any:
    """Load the public names. Raises AttributeError for any other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from order_sagas import actors

    found = getattr(actors, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
