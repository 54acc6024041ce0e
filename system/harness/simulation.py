"""One simulated run of a whole system: everything that happens in it comes from its seed."""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence

import attrs

from order_sagas.actors.entities import Notification
from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.actors.money import money
from order_sagas.actors.sagas.state import Status
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.audit.commit_rules import Broken, Facts
from order_sagas.system.harness.faults import Fault
from order_sagas.system.harness.harness import Harness
from order_sagas.system.harness.plans import LEVELS, random_plan
from order_sagas.system.harness.waiting import check_waiting

HORIZON = 60.0
"""Seconds in which the orders arrive."""
SKUS = 5
BATCH_SIZES = (5, 20, 100, 500, 500)
CALL_CAPACITIES = (2, 20, 1000)
"""External calls of a service that may be under way."""
TICKS = (0.0, 0.1, 0.5)
"""Seconds by which timers may be late."""
WORKERS = (1, 2, 2, 3)
LATENCIES = (0.0, 0.01, 0.5)
"""Seconds that Kafka takes at most."""
REBALANCED = 120.0
"""Seconds after which every shard has an owner again, once all is well."""
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
    workers: int = 0
    """How many workers shared a Kafka; 0 for one on the embedded log."""
    story: str = ""
    """The life of the orders concerned, if a rule was broken."""


def order_ids(orders: int) -> list[str]:
    """The orders of a run."""
    return [f"ORD-{i}" for i in range(1, orders + 1)]


def workers_of(seed: int) -> int:
    """How many workers share a Kafka in the run of this seed; 0 for the embedded log."""
    rng = random.Random(f"workers/{seed}")
    return rng.choice(WORKERS) if rng.random() < 0.5 else 0


def plan_of(seed: int, orders: int, level: str, workers: int | None = None) -> list[Fault]:
    """What goes wrong in the run of this seed."""
    rng, ids = random.Random(f"plan/{seed}"), order_ids(orders)
    workers = workers_of(seed) if workers is None else workers
    return random_plan(rng, LEVELS[level], ids, HORIZON * 1.5, workers)


def simulate(
    seed: int, orders: int = 50, plan: Sequence[Fault] = (), workers: int | None = None
) -> Outcome:
    """Run a system with these faults, then let all be well, and look whether all came to its end.

    The seed decides what is ordered and when, what is in stock, which payments are declined, which
    log there is, how many `workers` there are if that is not said, and how everything interleaves.
    """
    workers = workers_of(seed) if workers is None else workers
    rng = random.Random(f"run/{seed}")
    system = Harness(
        seed,
        faults=plan,
        stock={f"SKU-{i}": rng.randint(0, 2 * orders) for i in range(SKUS)},
        log="topics" if workers else "embedded",
        local=rng.random() < 0.5,
        gateway=SimulatedGateway(decline_rate=0.1, seed=seed),
        batch_size=rng.choice(BATCH_SIZES),
        tick=rng.choice(TICKS),
        workers=max(1, workers),
        latency=rng.choice(LATENCIES),
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
            workers,
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
        _check_waiting(system)
    system.advance(2 * HORIZON)
    _check_waiting(system)
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
    if system.kafka:
        system.advance(REBALANCED)
    _check_waiting(system, owned=True)
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
    _check_published(system)
    # What was answered before a stop in good order is not asked for after it.
    system.stop()
    system.restart()
    system.run_until_quiet(PATIENCE)


def _check_waiting(system: Harness, *, owned: bool = False) -> None:
    for broken in check_waiting(system, owned=owned):
        system.ledger.note(broken)


def check(system: Harness) -> None:
    """Look whether all came to its end: in the books, at the provider, and at the customers."""
    _check_provider(system)
    _check_refused(system)
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
    """What the books count as done was told to a worker by those whom it called."""
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


def _check_provider(system: Harness) -> None:
    """A charge and a refund are at the provider exactly if they are in the books."""
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
            system.ledger.note(Broken("calls as booked", order_id, detail))


def _check_published(system: Harness) -> None:
    """Nothing waits in the outbox: a restart would publish it, and must not be needed."""
    query = "SELECT id, topic, key FROM outbox ORDER BY id"
    for number, topic, key in system.books.connection.execute(query):
        detail = f"record {number} of the outbox, to {topic}, is not published"
        system.ledger.note(Broken("all is published", (key or b"").decode(), detail))


def _check_refused(system: Harness) -> None:
    """Every record that Kafka refused is in a dead letter, or was accepted later on."""
    if system.kafka is None:
        return
    stored = {(record.key, record.value) for record in system.kafka.topics}
    for refused in system.stage.kafka_troubles.refused:
        if (refused.key, refused.value) not in stored:
            detail = f"a record to {refused.topic} was refused, and there is no dead letter"
            subject = (refused.key or b"").decode()
            system.ledger.note(Broken("refused records are kept", subject, detail))
