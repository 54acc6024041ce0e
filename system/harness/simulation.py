"""One simulated run of a whole system, determined by its seed and plan."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import attrs

from order_sagas.actors.sagas.state import Status
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.system.harness.end_checks import check_common, check_settled
from order_sagas.system.harness.faults import Fault
from order_sagas.system.harness.harness import Harness
from order_sagas.system.harness.plans import LEVELS, random_plan
from order_sagas.system.harness.simulated_business import SHIPPED, Business, business_of
from order_sagas.system.harness.waiting import check_waiting

HORIZON = 60.0
"""Seconds during which the orders arrive."""
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
    app: str = SHIPPED
    story: str = ""
    """The report with the trace of an order concerned, if a rule was violated."""


def order_ids(orders: int) -> list[str]:
    """Return the order ids of a run."""
    return [f"ORD-{i}" for i in range(1, orders + 1)]


def workers_of(seed: int) -> int:
    """Return the number of workers on Kafka in the run of a seed; 0 for the embedded log."""
    rng = random.Random(f"workers/{seed}")
    return rng.choice(WORKERS) if rng.random() < 0.5 else 0


def plan_of(
    seed: int, orders: int, level: str, workers: int | None = None, app: str = SHIPPED
) -> list[Fault]:
    """Return the plan of faults in the run of a seed."""
    rng, ids = random.Random(f"plan/{seed}"), order_ids(orders)
    workers = workers_of(seed) if workers is None else workers
    words = business_of(app).vocabulary
    return random_plan(rng, LEVELS[level], ids, HORIZON * 1.5, workers, words)


def simulate(
    seed: int,
    orders: int = 50,
    plan: Sequence[Fault] = (),
    workers: int | None = None,
    app: str = SHIPPED,
) -> Outcome:
    """Run a system with these faults, then without faults, and check how everything ended.

    The seed determines the orders and their times, the stock, which payments are declined, the kind
    of log, the number of `workers` if it is None, and the interleaving. `app` names the app, as the
    setting does.
    """
    business = business_of(app)
    workers = workers_of(seed) if workers is None else workers
    rng = random.Random(f"run/{seed}")
    parts = business.parts(seed, orders, rng)
    system = Harness(
        seed,
        faults=plan,
        log="topics" if workers else "embedded",
        local=rng.random() < 0.5,
        **parts,
        batch_size=rng.choice(BATCH_SIZES),
        tick=rng.choice(TICKS),
        workers=max(1, workers),
        latency=rng.choice(LATENCIES),
        call_capacity=rng.choice(CALL_CAPACITIES),
    )
    with system:
        try:
            _run(system, business, seed, orders)
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
            app,
            system.story(*concerned) if found else "",
        )


def _run(system: Harness, business: Business, seed: int, orders: int) -> None:
    arrivals = random.Random(f"arrivals/{seed}")
    ids = order_ids(orders)
    waves = max(1, orders // 25)
    for wave in range(waves):
        for order_id in ids[wave::waves]:
            business.begin(system, seed, order_id)
        system.advance(arrivals.uniform(0, 2 * HORIZON / waves))
        business.answer(system, seed)
        _check_waiting(system)
    system.advance(2 * HORIZON)
    _check_waiting(system)
    let_end(system, lambda: business.answer(system, seed, all_of_them=True))
    check(system)
    note(system, business.check(system))


def check(system: Harness) -> None:
    """Check the final state by the rules of every app, and audit the database."""
    note(system, check_common(system))
    system.ledger.audit(system.books, ended=True)


def note(system: Harness, violations: Iterable[Broken]) -> None:
    """Add violations to those that were found at the commits."""
    for broken in violations:
        system.ledger.note(broken)


def let_end(system: Harness, answer: Callable[[], None] = lambda: None) -> None:
    """Remove all faults, let time pass, and resume sagas that need attention."""
    system.all_is_well()
    if system.kafka:
        system.advance(REBALANCED)
    _check_waiting(system, owned=True)
    for _ in range(3):
        if system.run_until_ended(PATIENCE):
            break
        answer()
        for order_id in system.in_flight():
            system.operator(order_id, "resume")
    system.run_until_quiet(PATIENCE)
    note(system, check_settled(system))
    # A call whose outcome was received before a regular stop is not repeated after it.
    system.stop()
    system.restart()
    system.run_until_quiet(PATIENCE)


def _check_waiting(system: Harness, *, owned: bool = False) -> None:
    note(system, check_waiting(system, owned=owned))
