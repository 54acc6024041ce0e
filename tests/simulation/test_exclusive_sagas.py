"""Exclusive sagas under random faults: the rules of locks hold, and detect mutations."""

from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from order_sagas import Answer, Saga
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition import days, hours
from order_sagas.actors.sagas.locks import WAIT, AcquireLock, ReleaseLock
from order_sagas.actors.sagas.state import Status
from order_sagas.actors.services.locks import LockService, SagaLock
from order_sagas.system.harness import Harness, faults, simulated_business
from order_sagas.system.harness.campaign import run_seed
from order_sagas.system.harness.samples import with_key_of
from order_sagas.system.harness.simulation import Outcome
from tests.support.rentals import APP
from tests.support.rentals.app import RENT_CAR
from tests.support.rentals.messages import RentalRequested

ONE_BY_ONE = Saga(
    "rent-car",
    version=1,
    starts_on=RentalRequested,
    steps=[*RENT_CAR.rows],
    exclusive=lambda rental: rental.car,
    exclusive_within=days(3),
)
"""Rentals of one car run one after the other."""
EXCLUSIVE = attrs.evolve(APP, sagas=[ONE_BY_ONE])
SEEDS = 100
RENTALS = 15


@pytest.fixture(autouse=True)
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    business = simulated_business.AppBusiness(EXCLUSIVE)
    monkeypatch.setattr("order_sagas.system.harness.simulation.business_of", lambda _: business)


def runs(seeds: Iterable[int], workers: int | None = None) -> Iterable[Outcome]:
    """The outcomes of simulated runs."""
    app = "rentals, one after the other"
    return (run_seed(seed, RENTALS, "heavy", workers, app) for seed in seeds)


def found() -> tuple[int, set[str]]:
    """The first seed in which a rule is broken, and the rules that are."""
    for outcome in runs(range(SEEDS), workers=0):
        if outcome.violations:
            return outcome.seed, {each.rule for each in outcome.violations}
    return SEEDS, set()


def test_exclusive_sagas_end_whatever_fails() -> None:
    """Sagas compete for the locks, and each gets its turn. On Kafka, days of polls take seconds."""
    outcomes = [*runs(range(30), workers=0), *runs([3], workers=2)]

    assert [] == [each.violations for each in outcomes if each.violations]
    assert 31 * RENTALS == sum(each.statuses.total() for each in outcomes)
    assert min(sum(each.statuses[s] for each in outcomes) for s in ("COMPLETED", "CANCELLED")) > 50


@pytest.mark.parametrize("order", ["R-1", "R-2"])
def test_a_lost_grant_is_asked_for_again(order: str) -> None:
    """Of the saga that gets the lock at once, and of the one that has waited for it."""
    lost = faults.Drop("LOCK_GRANTED", order)
    with Harness(app=EXCLUSIVE, faults=[lost]) as system:
        for number in (1, 2):
            system.start(RentalRequested(order_id=f"R-{number}", car="van", days=1))
        ended = system.run_until_ended(hours(10))
        steps = system.saga(order).steps  # type: ignore[union-attr]

    assert ended
    assert 2 == steps[ONE_BY_ONE.index[WAIT]].attempt


def test_grants_that_come_twice_or_after_the_release_change_nothing() -> None:
    """The sagas run one after the other, and the lock is free at the end."""
    plan = [
        faults.Duplicate("LOCK_GRANTED", "R-1", later=days(1)),
        faults.Delay("LOCK_GRANTED", "R-2", nth=0, seconds=days(4)),
        faults.Duplicate("ACQUIRE_LOCK", nth=0, later=60.0),
        faults.Duplicate("RELEASE_LOCK", nth=0, later=60.0),
    ]
    with Harness(app=EXCLUSIVE, faults=plan) as system:
        for number in range(1, 4):
            system.start(RentalRequested(order_id=f"R-{number}", car="van", days=1))
        system.run_until_quiet(days(9))
        found = [system.saga(f"R-{number}") for number in range(1, 4)]
        (lock,) = system.books.all_of(SagaLock)

    assert ["COMPLETED", "CANCELLED", "COMPLETED"] == [s and Status(s.status).name for s in found]
    assert () == lock.claims


def releases_for_any_saga(
    self: LockService, lock: SagaLock | None, command: ReleaseLock, now: float
) -> Answer:
    """Take the lock from its holder, also when it is a waiting saga that releases."""
    lock = lock or SagaLock(order_id=command.order_id)
    first = replace(command, saga_id=lock.claims[0].saga_id) if lock.claims else command
    return LockService.release(self, lock, first, now)


def drops_the_queue(
    self: LockService, lock: SagaLock | None, command: ReleaseLock, now: float
) -> Answer:
    """Grant the lock to the next one, and forget those behind it."""
    answer = LockService.release(self, lock, command, now)
    return Answer(
        tuple(
            replace(each, claims=each.claims[:1])  # type: ignore[attr-defined]
            for each in answer.writes
        ),
        answer.replies,
    )


def drops_former_holders(
    self: LockService, lock: SagaLock | None, command: AcquireLock, now: float
) -> Answer:
    """Grant the lock to a duplicate of a command that came before the release."""
    lock = lock or SagaLock(order_id=command.order_id)
    return LockService.acquire(self, replace(lock, released=()), command, now)


def grants_only_once(
    self: LockService, lock: SagaLock | None, command: AcquireLock, now: float
) -> Answer:
    """Do not answer a saga that has the lock, and asks for it again."""
    if lock and command.saga_id in [claim.saga_id for claim in lock.claims]:
        return Answer()
    return LockService.acquire(self, lock, command, now)


def keeps_claims_only_in_memory(
    self: LockService, lock: SagaLock | None, command: AcquireLock, now: float
) -> Answer:
    """Lose the grants in a crash."""
    mine = self.__dict__.setdefault("mine", set())
    known = lock if command.order_id in mine else None
    mine.add(command.order_id)
    return LockService.acquire(self, known, command, now)


@pytest.mark.parametrize(
    ("message", "wrong", "broken"),
    [
        (ReleaseLock, releases_for_any_saga, "one saga at a time"),
        (ReleaseLock, drops_the_queue, "who waits stays in the queue"),
        (AcquireLock, drops_former_holders, "no lock after the end"),
        (AcquireLock, keeps_claims_only_in_memory, "one saga at a time"),
        (AcquireLock, grants_only_once, "who is granted the lock goes on"),
    ],
)
def test_a_mutation_of_the_locks_is_found(
    monkeypatch: pytest.MonkeyPatch, message: type[Message], wrong: Any, broken: str
) -> None:
    """By the rule that describes it."""
    monkeypatch.setitem(LockService.handlers, message, wrong)
    seed, rules = found()

    print("found in seed", seed)
    assert broken in rules


def test_starts_of_a_simulation_share_keys() -> None:
    """The fields that make the key are shared; the other fields stay as they were drawn."""
    first, second = (
        RentalRequested(order_id=f"R-{i}", car=f"car {i}", days=i, deposit=i) for i in (1, 2)
    )

    met = with_key_of(first, second, lambda rental: f"{rental.car}/{rental.days}")

    assert RentalRequested(order_id="R-2", car="car 1", days=1, deposit=2) == met
    assert second == with_key_of(first, second, lambda rental: rental.order_id)
