"""The mark of waiting orders moves with the orders, without a timer."""

from order_sagas.actors.entities import Order
from order_sagas.bridges.intake.intake import Intake
from order_sagas.bridges.processor.order_mark import OrderMark
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.waiting_orders import CHUNK
from tests.support.embedded import EmbeddedSystem, an_order


def mark(system: EmbeddedSystem) -> int:
    """The number up to which every order is stored, or listed."""
    rows = system.store.db.rows("SELECT value FROM meta WHERE name = 'stored_up_to'", ())
    return next((int(value) for (value,) in rows), 0)


def test_it_moves_only_after_a_few_thousand_orders(tmp_path) -> None:
    """The owner of one shard moves it, as far as orders are stored or listed as waiting."""
    system = EmbeddedSystem(tmp_path)
    intake, many = Intake(system.log, system.clock), [an_order(f"o-{n}") for n in range(3 * CHUNK)]
    for first in range(0, len(many), 1000):
        intake.take(many[first : first + 1000])
    stored = [Order(order_id=f"o-{n}", status=Order.CREATED) for n in range(1, 3 * CHUNK)]
    system.store.commit(Changes(entities=stored), 1.0)
    ours, of_another = OrderMark(system.store), OrderMark(system.store)
    of_another.note(10 * CHUNK, {1: 1})
    ours.note(CHUNK - 1, {0: 1})
    before = mark(system)
    ours.note(CHUNK, {0: 1})
    listed = list(system.store.db.rows("SELECT no FROM submitted", ()))
    system.__exit__()

    assert (0, 2 * CHUNK) == (before, mark_of(tmp_path))
    assert [(1,)] == listed


def mark_of(tmp_path) -> int:
    """The mark in the database, read on a new connection."""
    system = EmbeddedSystem(tmp_path)
    try:
        return mark(system)
    finally:
        system.__exit__()


def test_no_timer_is_set_for_it(tmp_path) -> None:
    """So that an idle system without pruning is never woken."""
    forever = {"keep_idempotency_keys": None, "keep_operator_actions": None}
    with EmbeddedSystem(tmp_path, settings=forever) as system:
        assert system.base
        timers = system.base.timers()

    assert [] == timers
