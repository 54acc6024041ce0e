"""The service that grants the locks of exclusive sagas, in the order in which they were asked."""

from typing import ClassVar

import msgspec
from msgspec.structs import replace

from order_sagas.actors.clock import iso
from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import SCHEMA_VERSION, Message
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.sagas.locks import LOCKS, AcquireLock, LockGranted, ReleaseLock
from order_sagas.actors.services.service import NOTHING, Answer, Handler, Service

REMEMBERED = 100
"""How many former holders are stored with a lock, so that a duplicate does not get it again."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A saga that has a lock or waits for it, and since when (seconds since the Unix epoch)."""

    saga_id: str
    order_id: str
    step: str
    since: float


class SagaLock(Entity):
    """A lock: the saga that has it, and those that wait for it. `order_id` is the lock's key."""

    table: ClassVar[str] = "saga_locks"

    order_id: str
    claims: tuple[Claim, ...] = ()
    """The first one has the lock."""
    released: tuple[str, ...] = ()
    """The ids of the sagas that released it last."""


class LockService(Service):
    """Grants each lock to one saga at a time.

    Commands are idempotent: a saga that asks again keeps its place, and one that has released the
    lock does not get it again.
    """

    participant: ClassVar[Participant] = LOCKS
    entity: ClassVar[type[Entity]] = SagaLock

    def acquire(self, lock: SagaLock | None, command: AcquireLock, now: float) -> Answer:
        """Grant the lock if it is free, or note that the saga waits for it."""
        lock = lock or SagaLock(order_id=command.order_id)
        saga_id = command.saga_id
        if saga_id in lock.released:
            return NOTHING
        if saga_id not in [claim.saga_id for claim in lock.claims]:
            claim = Claim(saga_id, command.holder, command.step, now)
            lock = replace(lock, claims=(*lock.claims, claim))
            if len(lock.claims) > 1:
                return Answer((lock,))
        first = next(iter(lock.claims))
        if first.saga_id != saga_id:
            return NOTHING
        return Answer((lock,), (_granted(first, command, now),))

    def release(self, lock: SagaLock | None, command: ReleaseLock, now: float) -> Answer:
        """Take the lock from the saga, and grant it to the one that has waited longest."""
        lock = lock or SagaLock(order_id=command.order_id)
        saga_id = command.saga_id
        if saga_id in lock.released:
            return NOTHING
        claims = tuple(claim for claim in lock.claims if claim.saga_id != saga_id)
        had_it = bool(lock.claims) and lock.claims[0].saga_id == saga_id
        granted: tuple[Message, ...] = ()
        if had_it and claims:
            claims = (replace(claims[0], since=now), *claims[1:])
            granted = (_granted(claims[0], command, now),)
        released = (*lock.released, saga_id)[-REMEMBERED:]
        return Answer((replace(lock, claims=claims, released=released),), granted)

    handlers: ClassVar[dict[type[Message], Handler]] = {AcquireLock: acquire, ReleaseLock: release}


def _granted(claim: Claim, cause: Message, now: float) -> LockGranted:
    """The reply, with the ids of the saga that gets the lock: another one may have caused it."""
    return LockGranted(
        order_id=claim.order_id,
        event_id=f"{claim.saga_id}/lock_granted",
        saga_id=claim.saga_id,
        step=claim.step,
        causation_id=cause.event_id,
        occurred_at=iso(now),
        schema_version=SCHEMA_VERSION,
    )
