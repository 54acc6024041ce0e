"""The rules of exclusive sagas, checked after every commit and at the end of a run."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.locks import RELEASE, WAIT, lock_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import DONE, IDLE, SENT, SagaState
from order_sagas.actors.sagas.step import Step
from order_sagas.actors.services.locks import SagaLock
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.bridges.storage.changes import Changes

if TYPE_CHECKING:
    from order_sagas.system.harness.harness import Harness


LATE = 1000.0
"""Maximum seconds by which a plan of faults may delay the request for a lock, or its answer."""


class LockRules:
    """The sagas that have a lock or wait for one, and the locks, as they are committed.

    A saga has its lock from the commit in which it continues until the one in which it sends the
    release. Meanwhile it has to be the first of the lock's queue. A waiting saga has to stay in the
    queue, and to continue if the lock is granted: it repeats its request, so a lost reply costs no
    more than the time between two requests.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._locks: dict[str, SagaLock] = {}
        self._has: dict[str, dict[str, None]] = {}
        """The sagas that have each lock, by saga id."""
        self._waits: dict[str, str] = {}
        """The lock that each saga waits for."""

    def check(self, changes: Changes) -> Iterator[Broken]:
        """Apply a commit, and yield the violations."""
        touched: dict[str, None] = {}
        for saga in changes.sagas:
            definition = self._registry.get(saga.saga, saga.version)
            if definition.exclusive is not None:
                key = lock_of(definition.exclusive, saga.start)
                if self._waits.get(saga.saga_id) == key:
                    yield from self._check_given_up(definition.rows[definition.index[WAIT]], saga)
                self._follow(definition, saga, key)
                touched[key] = None
        locks = [entity for entity in changes.entities if isinstance(entity, SagaLock)]
        left: dict[str, set[str]] = {}
        for lock in locks:
            before = self._locks.get(lock.order_id)
            gone = {each.saga_id for each in before.claims} if before else set()
            left[lock.order_id] = gone - {each.saga_id for each in lock.claims}
            self._locks[lock.order_id] = lock
            touched[lock.order_id] = None
        for key in touched:
            yield from self._check_lock(key, left.get(key, ()))

    def _follow(self, definition: Saga[Any], saga: SagaState, key: str) -> None:
        """Note whether a saga has its lock or waits for it."""
        wait = saga.steps[definition.index[WAIT]].phase
        release = saga.steps[definition.index[RELEASE]].phase
        self._waits.pop(saga.saga_id, None)
        self._has.setdefault(key, {}).pop(saga.saga_id, None)
        if not saga.ended and wait == DONE and release == IDLE:
            self._has[key][saga.saga_id] = None
        if not saga.ended and wait == SENT:
            self._waits[saga.saga_id] = key

    def _check_given_up(self, wait: Step[Any, Any], saga: SagaState) -> Iterator[Broken]:
        """Check that a saga that timed out had not been granted the lock before."""
        if (saga.failed_step, saga.code) != (WAIT, "timed_out"):
            return
        key = self._waits[saga.saga_id]
        lock = self._locks.get(key)
        held = lock.claims[0] if lock and lock.claims else None
        if held and held.saga_id == saga.saga_id:
            granted = saga.history[-1].at - held.since
            if granted > 2 * (wait.repeat_every or 0.0) + LATE:
                detail = f"{saga.saga_id} timed out {granted:g} s after it had the lock"
                yield Broken("who is granted the lock goes on", key, detail)

    def _check_lock(self, key: str, left: Iterable[str]) -> Iterator[Broken]:
        lock, has = self._locks.get(key), self._has.get(key, {})
        first = lock.claims[0].saga_id if lock and lock.claims else "nobody"
        if len(has) > 1:
            yield Broken("one saga at a time", key, f"{' and '.join(has)} have the lock")
        for saga_id in has:
            if saga_id != first:
                detail = f"{saga_id} goes on, and the lock is that of {first}"
                yield Broken("one saga at a time", key, detail)
        for saga_id in left:
            if self._waits.get(saga_id) == key:
                yield Broken("who waits stays in the queue", key, f"{saga_id} waits, and left it")


def check_released(system: "Harness") -> Iterator[Broken]:
    """Check, once nothing is pending, that no lock is left of a saga that has ended."""
    if not any(service.entity is SagaLock for service in system.services):
        return
    for lock in system.books.all_of(SagaLock):
        for claim in lock.claims:
            if claim.saga_id not in system.ledger.open:
                detail = f"{claim.saga_id} has ended, and is still in the queue of {lock.order_id}"
                yield Broken("no lock after the end", claim.order_id, detail)
