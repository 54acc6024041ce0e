"""Simulation finds bugs: each mutation of the code is caught within a few seeds."""

import pytest

from order_sagas.system.harness.campaign import run_seed
from tests.simulation.mutations import MUTATIONS, Mutation

ORDERS = 50


def seeds_until_caught(limit: int, workers: int | None = None) -> tuple[int, str]:
    """The number of seeds until a violation, and the violation; 0 if no seed has one."""
    for seed in range(limit):
        outcome = run_seed(seed, ORDERS, "heavy", workers)
        if outcome.violations:
            return seed + 1, str(outcome.violations[0])
    return 0, ""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_simulation_catches(mutation: Mutation, monkeypatch: pytest.MonkeyPatch):
    """Each mutation within the number of seeds that it states."""
    mutation.put(monkeypatch)

    caught, broken = seeds_until_caught(mutation.seeds, mutation.workers)

    assert caught, f"{mutation} went unnoticed in {mutation.seeds} seeds"
    print(f"{mutation}: {caught} seed(s), {broken}")


def test_without_a_mutation_the_same_seeds_break_no_rule():
    """The violations above are caused by the mutations alone."""
    assert (0, "") == seeds_until_caught(30)
    assert (0, "") == seeds_until_caught(20, workers=2)
