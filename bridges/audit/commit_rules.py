"""The rules of the audit for what one commit changed, checked in memory after every commit.

The SQL of `rules` examines all books, which takes longer than a commit. Besides, some rules are
about changes, which only a check of each commit can see (`check_change`). Where a rule is also in
`rules`, it has the same name there.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import attrs

from order_sagas.actors.entities import (
    Entity,
    Notification,
    Order,
    Payment,
    Reservation,
    StockLevel,
)
from order_sagas.actors.rules import Rule, Stored
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.places import names_of, place_named
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import Phase, SagaState, Status


class Broken(NamedTuple):
    """A violation of a rule: its name, its subject, and what was found."""

    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"


@attrs.define
class Facts:
    """Everything that is stored of one order."""

    order_id: str
    order: Order | None = None
    payment: Payment | None = None
    reservation: Reservation | None = None
    notification: Notification | None = None
    sagas: dict[str, SagaState] = attrs.field(factory=dict)
    others: dict[type[Entity], Entity] = attrs.field(factory=dict)
    """The entities of other classes, those of an app's own services."""

    @property
    def stored(self) -> Stored:
        """The same for the rules of an app."""
        shipped = (self.order, self.payment, self.reservation, self.notification)
        entities: dict[type[Entity], Entity] = {}
        entities.update((type(each), each) for each in shipped if each is not None)
        return Stored(self.order_id, self.sagas, {**entities, **self.others})

    def copy(self) -> "Facts":
        """A copy, to compare with a later state."""
        return Facts(
            self.order_id,
            self.order,
            self.payment,
            self.reservation,
            self.notification,
            {**self.sagas},
            {**self.others},
        )


PLACE_ORDER = "place-order"
"""Name of the saga whose end decides the end of the order."""


def check_order(facts: Facts, registry: Registry) -> Iterator[Broken]:
    """Violations of the rules for an order, at any time."""
    for each in facts.sagas.values():
        yield from check_saga(each, registry)
    yield from _check_payment(facts)
    if facts.notification and facts.notification.sends > 1:
        yield Broken("notified once", facts.order_id, f"{facts.notification.sends} were sent")
    saga = facts.sagas.get(PLACE_ORDER)
    if saga is None:
        return
    broken = list(_check_ends(facts, saga))
    if broken and not _was_skipped(saga):
        yield from broken


def _check_ends(facts: Facts, saga: SagaState) -> Iterator[Broken]:
    """Violations of the rules that compare a saga with its order, payment, goods and customer."""
    payment, reservation = facts.payment, facts.reservation
    if saga.status == Status.COMPLETED:
        # Another saga of the order, such as a return, may have refunded and released both.
        paid = (Payment.COMPLETED, Payment.REFUNDED)[: len(facts.sagas)]
        held = (Reservation.HELD, Reservation.RELEASED)[: len(facts.sagas)]
        if payment is None or payment.status not in paid:
            yield Broken("paid for", facts.order_id, f"payment: {payment}")
        if reservation is None or reservation.status not in held:
            yield Broken("paid for", facts.order_id, f"stock: {reservation}")
    if saga.status == Status.CANCELLED:
        if payment and payment.status in (Payment.COMPLETED, Payment.PENDING):
            yield Broken("no charge kept", facts.order_id, f"payment: {payment}")
        if reservation and reservation.status == Reservation.HELD:
            yield Broken("goods released", facts.order_id, f"stock: {reservation}")
    order, notification = facts.order, facts.notification
    if order and order.status == Order.COMPLETED and saga.status != Status.COMPLETED:
        yield Broken("one end", facts.order_id, f"completed, its saga {saga.status!r}")
    if order and order.status == Order.CANCELLED and saga.status != Status.CANCELLED:
        yield Broken("one end", facts.order_id, f"cancelled, its saga {saga.status!r}")
    if notification and notification.about != Status(saga.status).name.lower():
        yield Broken("notified once", facts.order_id, f"it says {notification.about}")


def check_rules(rules: Iterable[Rule], facts: Facts) -> Iterator[Broken]:
    """Violations of an app's rules for an order. A rule that raises is broken."""
    stored = facts.stored
    for rule in rules:
        if rule.of is None and (not rule.ended or stored.has_ended):
            yield from check_rule(rule, stored, facts.order_id)


def check_rule(rule: Rule, checked: Any, subject: str) -> Iterator[Broken]:
    """The violation of one rule, if it is broken."""
    try:
        found = rule(checked)
    except Exception as error:
        found = f"the rule raised {type(error).__name__}: {error}"
    if found:
        yield Broken(rule.name, subject, found)


def check_saga(saga: SagaState, registry: Registry) -> Iterator[Broken]:
    """Violations of the rules for a saga, at any time."""
    if saga.status in (Status.RUNNING, Status.COMPENSATING) and saga.deadline is None:
        yield Broken("deadline", saga.saga_id, f"{saga.steps}")
    if saga.ended and saga.deadline is not None:
        yield Broken("nothing after the end", saga.saga_id, f"{saga.steps}")
    names = [entry.step for entry in saga.history if entry.event == "saga.step_completed"]
    if len(names) != len(set(names)):
        yield Broken("each step once", saga.saga_id, ", ".join(names))
    if saga.code:
        yield from _check_undoing(saga, registry.get(saga.saga, saga.version))


def _check_undoing(saga: SagaState, definition: Saga[Any]) -> Iterator[Broken]:
    stage_of = {step.name: n for n, stage in enumerate(definition.stages) for step in stage}
    undone = [
        stage_of[row.name]
        for entry in saga.history
        if entry.event == "saga.step_undone" and (row := definition.row_named(entry.step))
    ]
    if undone != sorted(undone, reverse=True):
        yield Broken("newest first", saga.saga_id, f"stages {undone}")
    if saga.status == Status.CANCELLED:
        for name, state in zip(names_of(definition, saga), saga.steps, strict=True):
            if state.phase not in (Phase.IDLE, Phase.FAILED, Phase.UNDONE, Phase.SKIPPED):
                yield Broken("undone whole", saga.saga_id, name)
        skipped = {e.step for e in saga.history if e.event == "saga.step_skipped"}
        for entry in saga.history:
            if entry.event == "saga.step_undone" and entry.step in skipped:
                yield Broken("undone whole", saga.saga_id, f"{entry.step} was skipped, and undone")


def check_stock(level: StockLevel, held: int) -> Iterator[Broken]:
    """Violations of the rules for a SKU in a warehouse. `held` is the sum of its reservations."""
    subject = f"{level.warehouse}/{level.sku}"
    if level.on_hand < 0 or level.reserved < 0:
        yield Broken("no oversell", subject, f"{level}")
    if level.on_hand + level.reserved != level.loaded:
        yield Broken("stock conserved", subject, f"{level}")
    if level.reserved != held:
        yield Broken("stock conserved", subject, f"{held} are held by orders, {level}")


def check_change(before: Facts, after: Facts) -> Iterator[Broken]:
    """Violations of the rules for what a commit may change of an order."""
    for name, old in before.sagas.items():
        new = after.sagas.get(name)
        if new is not None and _was_brought_back(old, new):
            continue
        if old.ended and new is not None and new.status != old.status:
            yield Broken("one end", old.saga_id, f"was {old.status!r}, is {new.status!r}")
        if old.ended and new is not None and new.steps != old.steps:
            yield Broken("nothing after the end", old.saga_id, f"{new.history[-1]}")
        if new is not None and new.started_at != old.started_at:
            yield Broken("started once", old.saga_id, f"{old.started_at}")
        if new is not None and new.seq < old.seq:
            yield Broken("nothing undone by a commit", old.saga_id, f"from {old.seq} to {new.seq}")
    told = before.notification is not None and before.notification.status == Notification.SENT
    if told and after.notification != before.notification:
        yield Broken("notified once", before.order_id, f"{after.notification}")
    if before.order and after.order:
        done = before.order.status in (Order.COMPLETED, Order.CANCELLED)
        if done and after.order.status != before.order.status:
            yield Broken("one end", before.order_id, f"{after.order}")
    if before.payment and after.payment:
        done = before.payment.status in (Payment.FAILED, Payment.REFUNDED, Payment.BLOCKED)
        if done and after.payment.status != before.payment.status:
            yield Broken("final stays final", before.order_id, f"{after.payment}")
    if before.reservation and after.reservation:
        done = before.reservation.status != Reservation.HELD
        if done and after.reservation.status != before.reservation.status:
            yield Broken("final stays final", before.order_id, f"{after.reservation}")


def _was_brought_back(old: SagaState, new: SagaState) -> bool:
    """Whether a saga that had completed is undone, because its parent asked for it."""
    events = [entry.event for entry in new.history[len(old.history) :]]
    return old.status == Status.COMPLETED and "saga.undo_asked" in events


_TIMED = {
    "saga.step_timed_out": (Phase.SENT, Phase.ASKED),
    "saga.outcome_asked": (Phase.SENT, Phase.ASKED),
    "saga.reminded": (Phase.SENT,),
    "saga.step_retried": (Phase.BACKOFF,),
    "saga.undo_timed_out": (Phase.UNDO_SENT,),
    "saga.undo_retried": (Phase.UNDO_BACKOFF,),
}
"""Events that only a passed deadline causes, and the phases of the step before each."""
ROUNDING = 0.001
"""Seconds by which a timer may be early."""


def check_timers(before: Facts, after: Facts, registry: Registry) -> Iterator[Broken]:
    """Violations of the rule that no deadline passes early.

    Do not use it if clocks are set back, because deadlines may then appear to pass early.
    """
    for name, old in before.sagas.items():
        new = after.sagas[name]
        definition, seen = registry.get(old.saga, old.version), set()
        for entry in new.history[len(old.history) :]:
            phases = _TIMED.get(entry.event, ())
            place = place_named(definition, old, entry.step) if phases else None
            if place is not None and entry.step not in seen:
                state = old.steps[place]
                if state.phase in phases and entry.at < state.deadline - ROUNDING:
                    early = f"{entry.event} of {entry.step} {state.deadline - entry.at:.3f} s early"
                    yield Broken("in time", old.saga_id, early)
            seen.add(entry.step)


def _check_payment(facts: Facts) -> Iterator[Broken]:
    payment = facts.payment
    if payment is None:
        return
    if payment.charges > 1:
        yield Broken("charged once", facts.order_id, f"{payment}")
    if payment.refunds > payment.charges:
        yield Broken("charged once", facts.order_id, f"{payment}")
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
        yield Broken("charged once", facts.order_id, f"{payment}")


def _was_skipped(saga: SagaState) -> bool:
    return any(e.event == "saga.operator" and e.note.startswith("skip") for e in saga.history)
