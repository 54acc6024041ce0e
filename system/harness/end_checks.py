"""Checks of the final state of a simulated run, beyond the rules that hold after every commit."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from order_sagas.actors.money import money
from order_sagas.actors.sagas.state import STUCK, UNDO_STUCK, Status
from order_sagas.actors.services.effects import EffectService
from order_sagas.bridges.audit.commit_rules import Broken, Facts
from order_sagas.system.harness import faults
from order_sagas.system.harness.incidents import ON_PURPOSE
from order_sagas.system.harness.lock_rules import check_released

if TYPE_CHECKING:
    from order_sagas.system.harness.harness import Harness

LATE = 3_600.0
"""Seconds after a deadline within which the saga has to act on it, also with skewed clocks."""


def check_common(system: "Harness") -> Iterator[Broken]:
    """Check what holds for any app: every start has a saga, and no record was lost."""
    yield from _check_refused(system)
    facts = system.ledger.facts
    for order_id in system.placed:
        if not facts.get(order_id, Facts(order_id)).sagas:
            yield Broken("none is lost", order_id, "it was placed, and has no saga")
    yield from _check_ended(system)


def _check_ended(system: "Harness") -> Iterator[Broken]:
    """Check that every saga has ended, except those that wait for a time in the future."""
    now = system.stage.clock.now()
    for saga_id, order_id in system.ledger.open.items():
        saga = system.ledger.facts[order_id].sagas[saga_id.partition("/")[0]]
        late = saga.deadline is None or saga.deadline < now - LATE
        if late or saga.status == Status.NEEDS_ATTENTION:
            steps = system.registry.get(saga.saga, saga.version).rows
            stuck = [
                step.name
                for step, state in zip(steps, saga.steps, strict=False)
                if state.phase in (STUCK, UNDO_STUCK)
            ]
            where = f" at {', '.join(stuck)}" if stuck else ""
            detail = f"{saga_id} is {Status(saga.status).name}{where}, without any fault"
            yield Broken("all ended", order_id, detail)


def check_settled(system: "Harness") -> Iterator[Broken]:
    """Check that no external call waits for a restart, and that every record is published."""
    for service in system.services:
        for kind in dict.fromkeys([service.entity, *service.entity_of.values()]):
            if not kind.pending:
                continue
            for entity in system.books.all_of(kind):
                if entity.status == kind.pending:  # type: ignore[attr-defined]
                    detail = f"{kind.__name__} is pending, and only a restart repeats its call"
                    yield Broken("nothing owed is forgotten", entity.order_id, detail)  # type: ignore[attr-defined]
    yield from check_released(system)
    yield from _check_published(system)


def check_orders(system: "Harness") -> Iterator[Broken]:
    """Check the orders at the provider and at the customers."""
    yield from _check_provider(system)
    for text in system.mailbag.repeated if not system.mailbag.local else ():
        yield Broken("notified once", text.order_id, f"another one: {text.text}")
    for order_id, facts in system.ledger.facts.items():
        saga = facts.sagas.get("place-order")
        if saga is None:
            continue
        if order_id not in system.mailbag.delivered:
            yield Broken("all notified", order_id, "the customer never got it")
        yield from _check_calls(system, facts)
        if not system.provider.local:
            kept = system.provider.kept(order_id)
            wanted = saga.start.amount if saga.status == Status.COMPLETED else 0
            if kept != wanted:
                kept_text, wanted_text = (
                    money(each, saga.start.currency) for each in (kept, wanted)
                )
                detail = f"the provider kept {kept_text}, not {wanted_text}"
                yield Broken("no charge kept", order_id, detail)


def check_unexpected_dead_letters(system: "Harness") -> Iterator[Broken]:
    """Check that every dead letter was caused by a fault: damage, junk, or a handler that raises.

    A handler that raises by itself, or a message that no receiver takes, is a defect of the app.
    Only what was committed counts: a worker whose shards another one owns may log more.
    """
    damaged = any(isinstance(f, faults.Corrupt | faults.Put) for f in system.faults)
    outright = any(isinstance(f, faults.Raises) and f.outright for f in system.faults)
    incidents = system.stage.incidents
    of_handlers = set(incidents.letters_of_handlers())
    for order_id, letter in incidents.letters():
        error = letter.error
        if (order_id, letter) in of_handlers:
            expected = False
        elif ON_PURPOSE in error or (outright and "NoneType" in error):
            expected = True
        else:
            expected = damaged
        if not expected:
            yield Broken("no dead letters", order_id or letter.topic, error)


def check_keys(system: "Harness") -> Iterator[Broken]:
    """Check that each effect was requested with one key, so that it happened once outside.

    Also check that a repeated call with the same key returns the same reply. If it does not, it
    does not pass on its key, and each repetition takes effect.
    """
    effects = {s.participant.name for s in system.services if issubclass(s, EffectService)}
    for (service, operation, order_id), keys in system.stage.calls.keys.items():
        if service in effects and len(keys) > 1:
            detail = f"{service}: {operation} was called with the keys {', '.join(keys)}"
            yield Broken("one key for each effect", order_id, detail)
    for (service, order_id, key), replies in system.stage.calls.replies.items():
        if service in effects and len(replies) > 1:
            detail = f"{service}: repeated with the key {key}, a call returned {', '.join(replies)}"
            yield Broken("one reply for each key", order_id, detail)


def _check_calls(system: "Harness", facts: Facts) -> Iterator[Broken]:
    """Check that every external call that is done in the database has succeeded."""
    order_id, heard = facts.order_id, system.stage.calls.heard
    notification, payment = facts.notification, facts.payment
    done = {}
    if notification and not system.mailbag.local:
        done["notifications", "send", order_id] = notification.sends
    if payment and not system.provider.local:
        done["payments", "refund", f"{order_id}-refund"] = payment.refunds
        if payment.charges:
            done["payments", "charge", order_id] = payment.charges
    for call, count in done.items():
        if count != min(1, heard[call]):
            detail = f"{call[1]} was done {count} times by the books, {heard[call]} times in fact"
            yield Broken("calls as booked", order_id, detail)


def _check_provider(system: "Harness") -> Iterator[Broken]:
    """Check that charges and refunds at the provider equal those in the database."""
    provider = system.provider
    if provider.local:
        return
    charged = Counter(charge.order_id for charge in provider.charges.values())
    refunded = Counter(refund.order_id for refund in provider.refunds.values())
    for order_id, facts in system.ledger.facts.items():
        payment = facts.payment
        said = (payment.charges, payment.refunds) if payment else (0, 0)
        made = (charged[order_id], refunded[order_id])
        if made != said:
            detail = f"charges and refunds at the provider: {made}, in the books: {said}"
            yield Broken("calls as booked", order_id, detail)


def _check_published(system: "Harness") -> Iterator[Broken]:
    """Check that the outbox is empty: no record may need a restart to be published."""
    query = "SELECT id, topic, key FROM outbox ORDER BY id"
    for number, topic, key in system.books.connection.rows(query, ()):
        detail = f"record {number} of the outbox, to {topic}, is not published"
        yield Broken("all is published", (key or b"").decode(), detail)


def _check_refused(system: "Harness") -> Iterator[Broken]:
    """Check that every record that Kafka refused is a dead letter, or was accepted later."""
    if system.kafka is None:
        return
    stored = {(record.key, record.value) for record in system.kafka.topics}
    for refused in system.stage.kafka_troubles.refused:
        if (refused.key, refused.value) not in stored:
            detail = f"a record to {refused.topic} was refused, and there is no dead letter"
            subject = (refused.key or b"").decode()
            yield Broken("refused records are kept", subject, detail)
