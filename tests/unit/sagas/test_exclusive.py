"""Exclusive sagas: sagas with the same key run one after the other."""

from typing import Any

import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import (
    CancelSaga,
    Message,
    OrderCreated,
    PaymentCompleted,
    PaymentFailed,
)
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Saga
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.sagas.locks import LOCKS, AcquireLock, ReleaseLock
from order_sagas.actors.services.locks import LockService, SagaLock
from order_sagas.system.app import App
from order_sagas.system.order_app import APP
from tests.support.embedded import EmbeddedSystem, an_order

CREATE, PAY, RESERVE, COMPLETE, NOTIFY = PLACE_ORDER.rows
HERE = [each for each in APP.services if each.participant.name != "payments"]
"""Without payments: the tests send the replies of payments."""


def exclusive(**fields: Any) -> Saga[OrderCreated]:
    """Orders of one customer run one after the other."""
    given = {"exclusive": lambda order: order.customer_id, "exclusive_within": hours(2), **fields}
    return Saga(
        "place-order", 1, OrderCreated, [CREATE, PAY, RESERVE, COMPLETE, NOTIFY],
        PLACE_ORDER.cancelled, **given,
    )  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def system(request, tmp_path):
    """A system of exclusive sagas, in a database of each kind."""
    url = None
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    with EmbeddedSystem(tmp_path, sagas=[exclusive()], services=HERE, database=url) as system:
        system.load({"PEN": 1000})
        yield system


def waiting_for(system: EmbeddedSystem, order_id: str) -> str:
    """The step that a saga waits for."""
    step: str
    ((step,),) = system.store.db.rows(
        f"SELECT step FROM sagas WHERE order_id = '{order_id}'", ()
    )  # fmt: skip
    return step


def pay(system: EmbeddedSystem, order_id: str) -> None:
    system.put(PaymentCompleted(order_id=order_id, amount=300, currency="EUR"))


def claims(system: EmbeddedSystem, key: str = "c-1") -> list[str]:
    """The orders that have a lock or wait for it."""
    lock = system.entity(SagaLock, f"lock:{key}")
    return [claim.order_id for claim in lock.claims] if lock else []


def test_sagas_of_one_key_run_one_after_the_other(system) -> None:
    for order_id in "ABC":
        system.put(an_order(order_id))
    system.put(an_order("D", customer_id="c-2"))
    steps = [waiting_for(system, order_id) for order_id in "ABCD"]
    assert ["process payment", *["wait for the lock"] * 2, "process payment"] == steps
    assert ["A", "B", "C"] == claims(system)

    pay(system, "A")

    assert "COMPLETED" == system.status("A")
    steps = [waiting_for(system, order_id) for order_id in "BC"]
    assert ["process payment", "wait for the lock"] == steps
    pay(system, "B")
    pay(system, "C")
    assert ["COMPLETED"] * 2 == [system.status(order_id) for order_id in "BC"]
    assert [] == claims(system)


def test_a_failed_saga_releases_its_lock(system) -> None:
    system.put(an_order("A"), an_order("B"))
    system.put(PaymentFailed(order_id="A", code="declined"))

    assert ("CANCELLED", ["B"]) == (system.status("A"), claims(system))
    assert "process payment" == waiting_for(system, "B")


def test_a_crash_releases_no_lock(system) -> None:
    system.put(an_order("A"), an_order("B"))
    for _ in range(3):
        system.restart()

    assert ["A", "B"] == claims(system)
    assert "wait for the lock" == waiting_for(system, "B")
    pay(system, "A")
    assert "process payment" == waiting_for(system, "B")


def test_waiting_for_a_lock_has_a_deadline(tmp_path) -> None:
    with EmbeddedSystem(tmp_path, sagas=[exclusive()], services=HERE) as system:
        for order_id in "ABC":
            system.put(an_order(order_id))
        system.put(CancelSaga(order_id="B", why="test"))
        assert ["A", "C"] == claims(system)
        system.advance(hours(2) + 1)

        left = system.saga("C")
        assert left
        assert ("CANCELLED", "timed_out") == (system.status("C"), left.code)
        assert "C" not in claims(system)


def test_a_duplicate_does_not_get_a_released_lock_again(system) -> None:
    system.put(an_order("A"))
    pay(system, "A")
    assert "COMPLETED" == system.status("A")
    asked = AcquireLock(
        order_id="lock:c-1", holder="A", saga_id="place-order/A", step="wait for the lock"
    )
    system.put(asked)
    system.put(ReleaseLock(order_id="lock:c-1", saga_id="place-order/A"))

    assert [] == claims(system)
    system.put(an_order("B"))
    assert ["B"] == claims(system)
    asked_again = AcquireLock(
        order_id="lock:c-1", holder="B", saga_id="place-order/B", step="wait for the lock"
    )
    system.put(asked_again)
    assert ["B"] == claims(system)


def test_keys_of_other_shards(tmp_path) -> None:
    """Two workers, of which none owns the shards of every order and every lock."""
    url = f"sqlite:///{tmp_path}/orders.db"
    systems = [
        EmbeddedSystem(tmp_path, sagas=[exclusive()], services=HERE, database=url, shards=shards)
        for shards in (frozenset({0, 1}), frozenset({2, 3}))
    ]
    for system in systems:
        system.start()
    first, _ = systems
    ids = [f"o-{i}" for i in range(6)]

    def run() -> None:
        for _ in range(6):
            for system in systems:
                system.run()

    def put(*messages: Message) -> None:
        first.put(*messages)
        run()

    first.load({"PEN": 1000})
    run()
    put(*[an_order(order_id, customer_id=f"c-{i % 2}") for i, order_id in enumerate(ids)])
    for order_id in ids:
        put(PaymentCompleted(order_id=order_id, amount=300, currency="EUR"))
    found = [*first.store.db.rows("SELECT order_id, status, step FROM sagas ORDER BY order_id", ())]
    for system in systems:
        system.__exit__()

    assert [(order_id, "COMPLETED", "") for order_id in ids] == found


def test_an_app_with_an_exclusive_saga_runs_the_service_of_locks() -> None:
    app = App(sagas=[exclusive()], services=APP.services)

    assert LockService in app.services
    assert LOCKS.topic in app.topics
    assert app.roles == APP.roles
    assert LOCKS.topic not in APP.topics


def test_the_steps_of_the_lock_are_in_the_definition() -> None:
    saga = exclusive()

    assert [
        "create order", "wait for the lock", "process payment", "reserve stock", "complete order",
        "notify customer", "release the lock",
    ] == [*saga.index]  # fmt: skip
    assert [*saga.index] == [*saga.scaled(2).index]
    assert "orders" == saga.origin.name
    with pytest.raises(DefinitionError, match="`exclusive_within` must be positive"):
        exclusive(exclusive_within=0)
