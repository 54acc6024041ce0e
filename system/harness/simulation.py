"""One simulated run of a whole system: everything that happens in it comes from its seed."""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence

import attrs

from actors.entities import Notification
from actors.messages import OrderCreated, OrderLine
from actors.money import money
from actors.sagas.progress import Status
from actors.services.simulation import SimulatedGateway
from bridges.invariants.touched import Broken, Facts
from system.harness.faults import Fault
from system.harness.harness import Harness
from system.harness.plans import LEVELS, random_plan

HORIZON = 60.0
"""Seconds in which the orders arrive."""
SKUS = 5
BATCH_SIZES = (5, 20, 100, 500, 500)
CALL_CAPACITIES = (2, 20, 1000)
"""External calls of a service that may be under way."""
TICKS = (0.0, 0.1, 0.5)
"""Seconds by which timers may be late."""
PATIENCE = 7 * 86_400.0
"""Seconds of virtual time in which every saga must have ended, once all is well."""


@attrs.frozen
class Outcome:
    """How a simulated run ended."""

    seed: int
    orders: int
    plan: list[Fault]
    violations: list[Broken]
    statuses: Counter[str]
    commits: int
    lives: int
    virtual_seconds: float
    digest: str
    """SHA-256 of every line that was logged."""
    story: str = ""
    """The life of the orders concerned, if a rule was broken."""


def order_ids(orders: int) -> list[str]:
    """The orders of a run."""
    return [f"ORD-{i}" for i in range(1, orders + 1)]


def plan_of(seed: int, orders: int, level: str) -> list[Fault]:
    """What goes wrong in the run of this seed."""
    return random_plan(
        random.Random(f"plan/{seed}"), LEVELS[level], order_ids(orders), HORIZON * 1.5
    )


def simulate(seed: int, orders: int = 50, plan: Sequence[Fault] = ()) -> Outcome:
    """Run a system with these faults, then let all be well, and look whether all came to its end.

    The seed decides what is ordered and when, what is in stock, which payments are declined, which
    log there is, and how everything interleaves.
    """
    rng = random.Random(f"run/{seed}")
    system = Harness(
        seed,
        faults=plan,
        stock={f"SKU-{i}": rng.randint(0, 2 * orders) for i in range(SKUS)},
        log=rng.choice(("embedded", "topics")),
        local=rng.random() < 0.5,
        gateway=SimulatedGateway(decline_rate=0.1, seed=seed),
        batch_size=rng.choice(BATCH_SIZES),
        tick=rng.choice(TICKS),
        call_capacity=rng.choice(CALL_CAPACITIES),
    )
    with system:
        try:
            _run(system, seed, orders)
        except Exception as error:
            system.ledger.note(Broken("the worker goes on", "worker", repr(error)))
        found = list(system.ledger.violations)
        statuses = Counter(
            Status(saga.status).name
            for facts in system.ledger.facts.values()
            for saga in facts.sagas.values()
        )
        concerned = list(dict.fromkeys(v.subject.rpartition("/")[2] for v in found))[:1]
        return Outcome(
            seed,
            orders,
            list(plan),
            found,
            statuses,
            system.stage.database.commits,
            system.lives,
            system.elapsed,
            hashlib.sha256(b"\n".join(system.log_lines)).hexdigest(),
            system.story(*concerned) if found else "",
        )


def _run(system: Harness, seed: int, orders: int) -> None:
    arrivals = random.Random(f"arrivals/{seed}")
    ids = order_ids(orders)
    waves = max(1, orders // 25)
    for wave in range(waves):
        for order_id in ids[wave::waves]:
            system.place(_order(seed, order_id))
        system.advance(arrivals.uniform(0, 2 * HORIZON / waves))
    system.advance(2 * HORIZON)
    let_end(system)
    check(system)


def _order(seed: int, order_id: str) -> OrderCreated:
    rng = random.Random(f"order/{seed}/{order_id}")
    lines = tuple(
        OrderLine(sku=f"SKU-{rng.randrange(SKUS)}", quantity=rng.randint(1, 3), unit_price=500)
        for _ in range(rng.randint(1, 3))
    )
    return OrderCreated(order_id=order_id, customer_id="C-1", currency="EUR", lines=lines)


def let_end(system: Harness) -> None:
    """All is well again: time passes, and operators look after what needs attention."""
    system.all_is_well()
    for _ in range(3):
        if system.run_until_ended(PATIENCE):
            break
        for order_id in system.in_flight():
            system.operator(order_id, "resume")
    system.run_until_quiet(PATIENCE)
    for notification in system.books.all_of(Notification):
        if notification.status == Notification.PENDING:
            detail = "the notification is pending, and nothing sends it but a restart"
            system.ledger.note(Broken("nothing owed is forgotten", notification.order_id, detail))
    # What was answered before a stop in good order is not asked for after it.
    system.stop()
    system.restart()
    system.run_until_quiet(PATIENCE)


def check(system: Harness) -> None:
    """Look whether all came to its end: in the books, at the provider, and at the customers."""
    ledger = system.ledger
    ledger.audit(system.books, ended=True)
    for order_id in system.placed:
        if not ledger.facts.get(order_id, Facts(order_id)).sagas:
            ledger.note(Broken("none is lost", order_id, "it was placed, and has no saga"))
    for text in system.mailbag.repeated if not system.mailbag.local else ():
        ledger.note(Broken("notified once", text.order_id, f"another one: {text.text}"))
    for order_id, facts in ledger.facts.items():
        saga = facts.sagas.get("place-order")
        if saga is None:
            continue
        if order_id not in system.mailbag.delivered:
            ledger.note(Broken("all notified", order_id, "the customer never got it"))
        _check_calls(system, facts)
        if not system.provider.local:
            kept = system.provider.kept(order_id)
            wanted = saga.start.amount if saga.status == Status.COMPLETED else 0
            if kept != wanted:
                kept_text, wanted_text = (
                    money(each, saga.start.currency) for each in (kept, wanted)
                )
                detail = f"the provider kept {kept_text}, not {wanted_text}"
                ledger.note(Broken("no charge kept", order_id, detail))


def _check_calls(system: Harness, facts: Facts) -> None:
    """What the books count as done is what the worker was told of by those whom it called."""
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
            system.ledger.note(Broken("calls as booked", order_id, detail))
