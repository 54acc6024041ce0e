"""Exclusive sagas: sagas with the same key run one after the other.

A semantic lock (Garcia-Molina and Salem, "Sagas"; "Microservices Patterns", section 4.3). It is
taken by a step of the saga's own and given back by another one, so it is as durable as any step: a
crash frees nothing, and a saga that is stuck holds its lock until it is settled.
"""

from collections.abc import Callable
from typing import Any

from order_sagas.actors import topics
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.participant import Participant
from order_sagas.actors.sagas.retry import ONCE
from order_sagas.actors.sagas.step import Step

LOCKS = Participant("locks", topic=topics.LOCKS, role="orchestrator")
"""Who grants locks. The role is that of the sagas."""
WAIT, RELEASE = "wait for the lock", "release the lock"
"""The names of the steps that an exclusive saga has besides its own."""
PREFIX = "lock:"
ASKS = 10
"""Number of requests for the lock within `exclusive_within`, evenly spaced. They are repeated
because a request or its answer may be lost."""
LONGEST = 3600.0
"""Maximum number of seconds between two requests."""


class AcquireLock(Message):
    """Grant the lock `order_id` to the saga of the order `holder`, or let it wait for its turn."""

    holder: str


class ReleaseLock(Message):
    """Take the lock from the saga, or the saga out of the queue, and grant it to the next one."""


class LockGranted(Message):
    """The saga has the lock."""


class LockWait(Step[Any, Any]):
    """Waits for the lock, and requests it repeatedly, since a record may be lost."""

    @property
    def repeat_every(self) -> float | None:
        """Seconds between two requests."""
        return min((self.within or 0.0) / ASKS, LONGEST)


def lock_of(exclusive: Callable[[Any], str], start: Any) -> str:
    """The key of the lock of a saga, by the function of its definition and its start message."""
    return f"{PREFIX}{exclusive(start)}"


Stages = tuple[tuple[Step[Any, Any], ...], ...]


def with_lock(stages: Stages, key_of: Callable[[Any], str], within: float) -> Stages:
    """The stages with the steps that wait for the lock and release it, if they lack them.

    The saga waits after a first step that its start has done, and before anything else.
    """
    if any(step.to is LOCKS for stage in stages for step in stage):
        return stages

    wait = LockWait(
        WAIT,
        to=LOCKS,
        do=lambda start: AcquireLock(order_id=lock_of(key_of, start), holder=start.order_id),
        done=LockGranted,
        within=within,
        retry=ONCE,
        undo=lambda start: ReleaseLock(order_id=lock_of(key_of, start)),
    )
    release: Step[Any, Any] = Step(
        RELEASE,
        to=LOCKS,
        do=lambda start: ReleaseLock(order_id=lock_of(key_of, start)),
        needs_no_undo=True,
    )
    first = stages[0] if stages else ()
    begun = int(bool(first) and all(s.kind == "step" and not s.do and not s.done for s in first))
    return (*stages[:begun], (wait,), *stages[begun:], (release,))
