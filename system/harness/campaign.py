"""Many simulated runs on several processes."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import active_children, get_context

from order_sagas.system.harness.simulated_business import SHIPPED
from order_sagas.system.harness.simulation import Outcome, plan_of, simulate

AT_ONCE = 10
"""Seeds that a process runs at a time; a small number keeps the progress display current."""


def run_seed(
    seed: int, orders: int, level: str, workers: int | None = None, app: str = SHIPPED
) -> Outcome:
    """Run one seed, with the faults that follow from the seed and the level."""
    return simulate(seed, orders, plan_of(seed, orders, level, workers, app), workers, app)


def campaign(
    seeds: Sequence[int],
    orders: int,
    level: str,
    jobs: int | None = None,
    workers: int | None = None,
    app: str = SHIPPED,
) -> Iterator[Outcome]:
    """Run all seeds on `jobs` processes (default: one per core), and yield outcomes in seed order.

    After the iterator is closed, the processes finish their current seeds and end. On Ctrl-C they
    end at once.
    """
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1 or len(seeds) == 1:
        for seed in seeds:
            yield run_seed(seed, orders, level, workers, app)
        return
    chunks = iter(
        [
            (seeds[i : i + AT_ONCE], orders, level, workers, app)
            for i in range(0, len(seeds), AT_ONCE)
        ]
    )
    others = {*active_children()}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        # Submitted a few at a time, so that stopping at a violation does not wait for the rest.
        with _kept_from_children(signal.SIGINT):
            waiting = [pool.submit(_run_seeds, *chunk) for chunk in islice(chunks, 2 * jobs)]
        try:
            while waiting:
                outcomes = waiting.pop(0).result()
                waiting += [pool.submit(_run_seeds, *chunk) for chunk in islice(chunks, 1)]
                yield from outcomes
        except KeyboardInterrupt:
            waiting.clear()
            for child in {*active_children()} - others:
                child.terminate()
            raise
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _kept_from_children(number: signal.Signals) -> Iterator[None]:
    """Processes that are started within the context never get a signal; this one gets it after.

    A terminal sends SIGINT to all processes of a command, and only the first has to act on it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run_seeds(
    seeds: Sequence[int], orders: int, level: str, workers: int | None, app: str
) -> list[Outcome]:
    return [run_seed(seed, orders, level, workers, app) for seed in seeds]
