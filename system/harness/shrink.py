"""Reduces a failing plan: removes faults as long as the same rule is violated."""

from collections.abc import Callable, Sequence

from order_sagas.system.harness.faults import Fault
from order_sagas.system.harness.simulation import Outcome, simulate

RUNS = 300
"""Maximum number of runs."""

Progress = Callable[[int], None]
"""Called with the number of faults that are left."""


def shrink(failed: Outcome, progress: Progress = lambda left: None) -> Outcome:
    """Return the failure with as few faults and orders as are found within `RUNS` runs.

    Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
    2002): halves are removed first, then quarters, and so on to single faults.
    """
    rules = {violation.rule for violation in failed.violations}
    budget = [RUNS]

    def fails(orders: int, plan: Sequence[Fault]) -> Outcome | None:
        if budget[0] <= 0:
            return None
        budget[0] -= 1
        outcome = simulate(failed.seed, orders, plan, failed.workers, failed.app)
        return outcome if any(v.rule in rules for v in outcome.violations) else None

    best = _fewer_faults(failed, fails, progress)
    for orders in _fewer(best.orders):
        smaller = fails(orders, best.plan)
        if smaller:
            best = smaller
            break
    return _fewer_faults(best, fails, progress)


Fails = Callable[[int, Sequence[Fault]], Outcome | None]


def _fewer_faults(failed: Outcome, fails: Fails, progress: Progress) -> Outcome:
    best, size = failed, max(1, len(failed.plan) // 2)
    while best.plan:
        progress(len(best.plan))
        smaller = None
        for start in range(0, len(best.plan), size):
            smaller = fails(best.orders, best.plan[:start] + best.plan[start + size :])
            if smaller:
                break
        if smaller:
            best = smaller
            size = min(size, max(1, len(best.plan) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return best


def _fewer(orders: int) -> list[int]:
    """Return the numbers of orders to try, smallest first."""
    return sorted({n for n in (1, 2, 3, 5, 8, 13, 25) if n < orders})
