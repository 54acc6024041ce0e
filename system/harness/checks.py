"""Invariants: what must hold of an order after every commit, and what must when all is quiet."""

from collections.abc import Iterator
from typing import NamedTuple

import attrs

from actors.entities import Notification, Order, Payment, Reservation, StockLevel
from actors.sagas.progress import Phase, Progress, Status
from actors.sagas.registry import Registry


class Violation(NamedTuple):
    """A rule that was broken, by what, and how."""

    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"


@attrs.define
class Facts:
    """All that is stored of one order."""

    order_id: str
    order: Order | None = None
    payment: Payment | None = None
    reservation: Reservation | None = None
    notification: Notification | None = None
    sagas: dict[str, Progress] = attrs.field(factory=dict)


PLACE_ORDER = "place-order"


def check_order(facts: Facts, registry: Registry) -> Iterator[Violation]:
    """What holds of an order at any time."""
    for each in facts.sagas.values():
        yield from check_saga(each, registry)
    yield from _check_payment(facts)
    if facts.notification and facts.notification.sends > 1:
        yield Violation("one notification", facts.order_id, f"{facts.notification.sends} were sent")
    saga = facts.sagas.get(PLACE_ORDER)
    if saga is None or _was_skipped(saga):
        return
    payment, reservation = facts.payment, facts.reservation
    if saga.status == Status.COMPLETED:
        if payment is None or payment.status != Payment.COMPLETED:
            yield Violation("no goods without a charge", facts.order_id, f"payment: {payment}")
        if reservation is None or reservation.status != Reservation.HELD:
            yield Violation("no charge without goods", facts.order_id, f"stock: {reservation}")
    if saga.status == Status.CANCELLED:
        if payment and payment.status in (Payment.COMPLETED, Payment.PENDING):
            yield Violation("no charge without goods", facts.order_id, f"payment: {payment}")
        if reservation and reservation.status == Reservation.HELD:
            yield Violation("no goods kept back", facts.order_id, f"stock: {reservation}")
    order, notification = facts.order, facts.notification
    if order and order.status == Order.COMPLETED and saga.status != Status.COMPLETED:
        yield Violation("one final state", facts.order_id, f"completed, its saga {saga.status!r}")
    if order and order.status == Order.CANCELLED and saga.status != Status.CANCELLED:
        yield Violation("one final state", facts.order_id, f"cancelled, its saga {saga.status!r}")
    if notification and notification.about != Status(saga.status).name.lower():
        yield Violation("one notification", facts.order_id, f"it says {notification.about}")


def check_saga(saga: Progress, registry: Registry) -> Iterator[Violation]:
    """What holds of any saga at any time."""
    if saga.status in (Status.RUNNING, Status.COMPENSATING) and saga.deadline is None:
        yield Violation("no wait without a deadline", saga.saga_id, f"{saga.steps}")
    if saga.ended and saga.deadline is not None:
        yield Violation("no deadline after the end", saga.saga_id, f"{saga.steps}")
    definition = registry.get(saga.saga, saga.version)
    stage_of = {definition.rows[i].name: n for n, stage in enumerate(definition.stage_steps)
                for i in stage}  # fmt: skip
    undone = [stage_of[entry.step] for entry in saga.history if entry.event == "saga.step_undone"]
    if undone != sorted(undone, reverse=True):
        yield Violation("undone newest first", saga.saga_id, f"stages {undone}")
    names = [entry.step for entry in saga.history if entry.event == "saga.step_completed"]
    if len(names) != len(set(names)):
        yield Violation("a step completes once", saga.saga_id, ", ".join(names))
    if saga.status == Status.CANCELLED:
        for step, state in zip(definition.rows, saga.steps, strict=True):
            if state.phase not in (Phase.IDLE, Phase.FAILED, Phase.UNDONE):
                yield Violation("a cancelled saga is undone whole", saga.saga_id, step.name)


def check_stock(level: StockLevel, held: int) -> Iterator[Violation]:
    """What holds of a SKU in a warehouse; `held` is what reservations hold of it."""
    subject = f"{level.warehouse}/{level.sku}"
    if level.on_hand < 0 or level.reserved < 0:
        yield Violation("no oversell", subject, f"{level}")
    if level.on_hand + level.reserved != level.loaded:
        yield Violation("stock is conserved", subject, f"{level}")
    if level.reserved != held:
        yield Violation("stock is conserved", subject, f"{held} are held by orders, {level}")


def check_change(before: Facts, after: Facts) -> Iterator[Violation]:
    """What a commit may not do to an order."""
    for name, old in before.sagas.items():
        new = after.sagas.get(name)
        if old.ended and new is not None and new.status != old.status:
            yield Violation(
                "one final state", old.saga_id, f"was {old.status!r}, is {new.status!r}"
            )
        if old.ended and new is not None and new.steps != old.steps:
            yield Violation("nothing happens after the end", old.saga_id, f"{new.history[-1]}")
        if new is not None and new.started_at != old.started_at:
            yield Violation("a saga starts once", old.saga_id, f"{old.started_at}")
        if new is not None and new.seq < old.seq:
            yield Violation("a saga goes on", old.saga_id, f"from {old.seq} to {new.seq}")
    if before.order and after.order:
        done = before.order.status in (Order.COMPLETED, Order.CANCELLED)
        if done and after.order.status != before.order.status:
            yield Violation("one final state", before.order_id, f"{after.order}")
    if before.payment and after.payment:
        done = before.payment.status in (Payment.FAILED, Payment.REFUNDED, Payment.BLOCKED)
        if done and after.payment.status != before.payment.status:
            yield Violation("a payment's end is final", before.order_id, f"{after.payment}")
    if before.reservation and after.reservation:
        done = before.reservation.status != Reservation.HELD
        if done and after.reservation.status != before.reservation.status:
            yield Violation("a reservation's end is final", before.order_id, f"{after.reservation}")


def check_quiet(facts: Facts) -> Iterator[Violation]:
    """What holds of an order once its saga has ended and all that was sent has arrived."""
    saga = facts.sagas.get(PLACE_ORDER)
    if saga is None:
        return
    wanted = {Status.COMPLETED: Order.COMPLETED, Status.CANCELLED: Order.CANCELLED}
    expected = wanted.get(Status(saga.status))
    if expected is None:
        yield Violation("every saga ends", facts.order_id, f"{Status(saga.status).name}")
        return
    found = facts.order.status if facts.order else "missing"
    if found != expected:
        yield Violation("one final state", facts.order_id, f"the order is {found}, not {expected}")
    notification = facts.notification
    if notification is None or notification.status != Notification.SENT:
        yield Violation("one notification", facts.order_id, f"{notification}")


def _check_payment(facts: Facts) -> Iterator[Violation]:
    payment = facts.payment
    if payment is None:
        return
    if payment.charges > 1:
        yield Violation("charged once", facts.order_id, f"{payment}")
    if payment.refunds > payment.charges:
        yield Violation("refunded once", facts.order_id, f"{payment}")
    counts = {
        Payment.COMPLETED: (1, 0),
        Payment.REFUNDED: (1, 1),
        Payment.FAILED: (0, 0),
        Payment.BLOCKED: (0, 0),
    }
    if counts.get(payment.status, (payment.charges, payment.refunds)) != (
        payment.charges,
        payment.refunds,
    ):
        yield Violation("a payment says what was done", facts.order_id, f"{payment}")


def _was_skipped(saga: Progress) -> bool:
    return any(e.event == "saga.operator" and e.note.startswith("skip") for e in saga.history)
