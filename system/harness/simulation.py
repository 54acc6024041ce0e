"""One simulated run of a whole system, determined by its seed and plan."""

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
"""Seconds during which the orders arrive."""
SKUS = 5
BATCH_SIZES = (5, 20, 100, 500, 500)
CALL_CAPACITIES = (2, 20, 1000)
"""Limits of external calls in progress, per service."""
TICKS = (0.0, 0.1, 0.5)
"""Maximum delays of timers, in seconds."""
WORKERS = (1, 2, 2, 3)
LATENCIES = (0.0, 0.01, 0.5)
"""Maximum latencies of Kafka, in seconds."""
REBALANCED = 120.0
"""Seconds after the end of all faults within which every shard must have an owner."""
PATIENCE = 7 * 86_400.0
"""Virtual seconds after the end of all faults within which every saga must end."""


@attrs.frozen
class Outcome:
    """The result of a simulated run."""

    seed: int
    orders: int
    plan: list[Fault]
    violations: list[Broken]
    statuses: Counter[str]
    commits: int
    lives: int
    virtual_seconds: float
    digest: str
    """SHA-256 of all log lines."""
    workers: int = 0
    """Number of workers on the simulated Kafka; 0 for the embedded log."""
    story: str = ""
    """The report with the trace of an order concerned, if a rule was violated."""


def order_ids(orders: int) -> list[str]:
    """Return the order ids of a run."""
    return [f"ORD-{i}" for i in range(1, orders + 1)]


def workers_of(seed: int) -> int:
    """Return the number of workers on Kafka in the run of a seed; 0 for the embedded log."""
    rng = random.Random(f"workers/{seed}")
    return rng.choice(WORKERS) if rng.random() < 0.5 else 0


def plan_of(seed: int, orders: int, level: str, workers: int | None = None) -> list[Fault]:
    """Return the plan of faults in the run of a seed."""
    rng, ids = random.Random(f"plan/{seed}"), order_ids(orders)
    workers = workers_of(seed) if workers is None else workers
    return random_plan(rng, LEVELS[level], ids, HORIZON * 1.5, workers)


def simulate(
    seed: int, orders: int = 50, plan: Sequence[Fault] = (), workers: int | None = None
) -> Outcome:
    """Run a system with these faults, then without faults, and check how everything ended.

    The seed determines the orders and their times, the stock, which payments are declined, the kind
    of log, the number of `workers` if it is None, and the interleaving.
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
    """Remove all faults, let time pass, and resume sagas that need attention."""
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
    # A call whose outcome was received before a regular stop is not repeated after it.
    system.stop()
    system.restart()
    system.run_until_quiet(PATIENCE)


def _check_waiting(system: Harness, *, owned: bool = False) -> None:
    for broken in check_waiting(system, owned=owned):
        system.ledger.note(broken)


def check(system: Harness) -> None:
    """Check the final state: in the database, at the provider, and of the notifications."""
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
    """Check that every external call that the database has as done succeeded in fact."""
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
            system.ledger.note(Broken("calls as booked", order_id, detail))


def _check_published(system: Harness) -> None:
    """Check that the outbox is empty: no record may need a restart to be published."""
    query = "SELECT id, topic, key FROM outbox ORDER BY id"
    for number, topic, key in system.books.connection.execute(query):
        detail = f"record {number} of the outbox, to {topic}, is not published"
        system.ledger.note(Broken("all is published", (key or b"").decode(), detail))


def _check_refused(system: Harness) -> None:
    """Check that every record that Kafka refused is a dead letter, or was accepted later."""
    if system.kafka is None:
        return
    stored = {(record.key, record.value) for record in system.kafka.topics}
    for refused in system.stage.kafka_troubles.refused:
        if (refused.key, refused.value) not in stored:
            detail = f"a record to {refused.topic} was refused, and there is no dead letter"
            subject = (refused.key or b"").decode()
            system.ledger.note(Broken("refused records are kept", subject, detail))
