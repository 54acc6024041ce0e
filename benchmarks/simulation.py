"""Measures simulated order sagas per CPU-second, with all faults and all checks.

    python -m benchmarks.simulation [--seeds N] [--orders N] [--json]

The calibration loop runs after every few seeds, because the load of the machine changes: a figure
is scaled by the loops before and after it.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Iterator

from benchmarks.calibration import calibrate, scale
from benchmarks.rows import Figure

LEVELS = ("none", "light", "heavy")
ROUNDS = 5
EMBEDDED = 0
"""Number of workers on a simulated Kafka; 0: everything runs on the embedded log."""
BESIDE = 4
"""Seeds between two calibrations."""


def rates(level: str, seeds: int, orders: int) -> list[tuple[float, float]]:
    """Measured orders per CPU-second of each round, and the calibration factor at that time."""
    from order_sagas.system.harness.campaign import run_seed

    run_seed(0, orders, level, EMBEDDED)
    found = []
    for round_ in range(ROUNDS):
        took, loop = 0.0, []
        for place, seed in enumerate(range(round_ * seeds, (round_ + 1) * seeds)):
            if place % BESIDE == 0:
                loop.append(calibrate(1))
            started = time.process_time()
            outcome = run_seed(seed, orders, level, EMBEDDED)
            took += time.process_time() - started
            if outcome.violations:
                raise SystemExit(f"seed {seed} broke a rule: {outcome.violations[0]}")
        found.append((seeds * orders / took, scale(statistics.mean(loop))))
    return found


def area(quick: bool) -> Iterator[Figure]:
    """The rates of the rounds, each scaled by its calibration."""
    seeds, orders = (2, 50) if quick else (20, 50)
    command = f"python -m benchmarks.simulation --seeds {seeds} --orders {orders}"
    for level in LEVELS:
        scaled = [rate / factor for rate, factor in rates(level, seeds, orders)]
        goal = "at least 1,000" if level == "heavy" else ""
        what = f"orders simulated, faults {level}"
        yield Figure("simulation", what, scaled, "1/CPU s", command, goal)


def main() -> None:
    """Run the benchmark, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="seeds of a round")
    parser.add_argument("--orders", type=int, default=50, help="orders of a seed")
    parser.add_argument("--json", action="store_true", help="measured rates and factors, as JSON")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    measured = {level: rates(level, arguments.seeds, arguments.orders) for level in LEVELS}
    if arguments.json:
        print(json.dumps(measured))
        return
    for level, rounds in measured.items():
        here = statistics.median([rate for rate, _ in rounds])
        there = statistics.median([rate / factor for rate, factor in rounds])
        print(f"faults {level:6} {here:7,.0f} orders a CPU-second here, {there:7,.0f} scaled")


if __name__ == "__main__":
    main()
