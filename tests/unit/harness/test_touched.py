"""The rules that are checked after each commit: each finds its violations, and no others."""

from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from order_sagas.actors.entities import Notification, Order, Payment, Reservation, StockLevel
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import HistoryEntry, Phase, SagaState, Status
from order_sagas.bridges.audit.commit_rules import (
    Broken,
    Facts,
    check_change,
    check_order,
    check_stock,
    check_timers,
)
from order_sagas.system.harness import COMPLETED, Harness, an_order, minutes


def rules(broken: Iterable[Broken]) -> set[str]:
    """The names of the rules that were broken."""
    return {each.rule for each in broken}


@pytest.fixture(scope="module")
def books():
    """A completed order and a cancelled one, as a real system left them."""
    with Harness(stock={"SKU-1": 1}) as system:
        system.place(an_order())
        system.advance(minutes(1))
        system.place(an_order())
        system.advance(minutes(1))
        system.expect("ORD-1").to_be(COMPLETED)
        completed, cancelled = (system.ledger.facts[order] for order in ("ORD-1", "ORD-2"))
        yield completed, cancelled, system.registry


def broken_by(books: tuple[Facts, Facts, Registry], **changes: Any) -> set[str]:
    """What the completed order breaks with these facts instead of its own."""
    completed, _, registry = books
    return rules(check_order(attrs.evolve(completed, **changes), registry))


def test_consistent_data_breaks_no_rule(books):
    """Neither of the two orders."""
    completed, cancelled, registry = books

    for facts in (completed, cancelled):
        assert set() == rules(check_order(facts, registry))
        assert set() == rules(check_change(facts, facts.copy()))
        assert set() == rules(check_timers(facts, facts.copy(), registry))


def test_a_completed_order_needs_payment_goods_and_notification(books):
    """Each missing part is a violation."""
    completed, _, _ = books

    assert {"paid for"} == broken_by(books, payment=None)
    assert {"paid for"} == broken_by(books, reservation=None)
    twice = replace(completed.payment, charges=2)
    assert {"charged once"} == broken_by(books, payment=twice)
    other = replace(completed.notification, about="cancelled")
    assert {"notified once"} == broken_by(books, notification=other)
    sends = replace(completed.notification, sends=2)
    assert {"notified once"} == broken_by(books, notification=sends)
    assert {"one end"} == broken_by(books, order=replace(completed.order, status=Order.CANCELLED))


def test_a_cancelled_order_keeps_nothing(books):
    """Money, goods, or a step that was not undone."""
    _, cancelled, registry = books
    kept = replace(cancelled.payment, status=Payment.COMPLETED, refunds=0)
    held = replace(cancelled.reservation, status=Reservation.HELD)
    saga: SagaState = cancelled.sagas["place-order"]
    undone = saga.steps[1]
    step = (saga.steps[0], replace(undone, phase=Phase.DONE), *saga.steps[2:])
    reverse = tuple(sorted(saga.history, key=lambda e: (e.event == "saga.step_undone", e.step)))

    def breaks(**changes: Any) -> set[str]:
        return rules(check_order(attrs.evolve(cancelled, **changes), registry))

    assert {"no charge kept"} == breaks(payment=kept)
    assert {"goods released"} == breaks(reservation=held)
    assert {"undone whole"} == breaks(sagas={"place-order": replace(saga, steps=step)})
    assert {"newest first"} == breaks(sagas={"place-order": replace(saga, history=reverse)})


def test_changes_that_a_commit_may_not_make(books):
    """Of an end, of earlier history, and of the notification."""
    completed, cancelled, _ = books
    saga: SagaState = completed.sagas["place-order"]

    def breaks(before: Facts, **changes: Any) -> set[str]:
        return rules(check_change(before, attrs.evolve(before, **changes)))

    running = replace(saga, status=Status.RUNNING, seq=1, steps=())
    assert {"one end", "nothing after the end", "nothing undone by a commit"} == breaks(
        completed, sagas={"place-order": running}
    )
    again = replace(completed.notification, updated_at=0.0)
    assert {"notified once"} == breaks(completed, notification=again)
    pending = replace(completed.notification, status=Notification.PENDING)
    assert {"notified once"} == breaks(completed, notification=pending)
    charged = replace(cancelled.payment, status=Payment.COMPLETED)
    assert {"final stays final"} == breaks(cancelled, payment=charged)
    held = replace(cancelled.reservation, status=Reservation.HELD)
    assert {"final stays final"} == breaks(cancelled, reservation=held)


def test_a_deadline_that_passes_early_is_a_violation(books):
    """Only a timer that is not the step's own can do that."""
    completed, _, registry = books
    saga: SagaState = completed.sagas["place-order"]
    waiting = replace(saga.steps[1], phase=Phase.SENT, deadline=100.0)
    steps = (saga.steps[0], waiting, *saga.steps[2:])
    before = Facts("ORD-1", sagas={"place-order": replace(saga, steps=steps, history=())})

    def after(at: float) -> Facts:
        entry = HistoryEntry(at, "saga.step_timed_out", "process payment")
        return Facts("ORD-1", sagas={"place-order": replace(saga, history=(entry,))})

    assert {"in time"} == rules(check_timers(before, after(99.0), registry))
    assert set() == rules(check_timers(before, after(100.0), registry))


@pytest.mark.parametrize(
    ("level", "held", "expected"),
    [
        (StockLevel(warehouse="main", sku="A", on_hand=3, reserved=2, loaded=5), 2, set()),
        (
            StockLevel(warehouse="main", sku="A", on_hand=-1, reserved=6, loaded=5),
            6,
            {"no oversell"},
        ),
        (
            StockLevel(warehouse="main", sku="A", on_hand=3, reserved=2, loaded=6),
            2,
            {"stock conserved"},
        ),
        (
            StockLevel(warehouse="main", sku="A", on_hand=3, reserved=2, loaded=5),
            1,
            {"stock conserved"},
        ),
    ],
)
def test_inconsistent_stock_is_a_violation(level, held, expected):
    """Below zero, without a delivery, or held without a reservation."""
    assert expected == rules(check_stock(level, held))
