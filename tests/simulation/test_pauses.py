"""Pauses together with other faults: nothing is lost or done twice, and no step times out."""

import random

import pytest

from order_sagas.system.harness import (
    COMPLETED,
    CommitFails,
    Crash,
    Fault,
    Harness,
    LosesShard,
    an_order,
)

NAMES = ("orders", "payments", "stock", "notifications", "intake")
PLANS: dict[str, list[Fault]] = {
    "nothing else": [],
    "crashes": [Crash("before commit", nth=4), Crash("after commit", nth=9)],
    "a database that fails": [CommitFails(nth=5, where="after"), LosesShard(nth=8)],
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("log", ["embedded", "topics"])
@pytest.mark.parametrize("seed", range(8))
def test_orders_end_despite_pauses(seed, log, plan):
    """Services and the intake are paused at random times, for longer than any deadline."""
    rng = random.Random(seed)
    with Harness(seed=seed, log=log, order="shuffled", batch_size=3, faults=PLANS[plan]) as system:
        paused: set[str] = set()
        orders = []
        for _ in range(12):
            orders += [system.place(an_order()) for _ in range(rng.randint(0, 3))]
            name = rng.choice(NAMES)
            if name in paused:
                system.unpause(name)
            else:
                system.pause(name)
            paused ^= {name}
            system.advance(rng.choice([0.0, 0.5, 20.0, 4000.0]))
        for name in paused:
            system.unpause(name)
        assert system.run_until_ended()
        system.run_until_quiet()

        for order in orders:
            system.expect(order).to_be(COMPLETED)
        system.expect_no_violations()
