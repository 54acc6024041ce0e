"""Measures the system under large loads: timers, orders, time, workers.

    python -m benchmarks.scale timers [--parked 100000] [--within 60] [--rate 200]
    python -m benchmarks.scale alone [--orders 200]
    python -m benchmarks.scale pressure [--orders 60000]
    python -m benchmarks.scale workers [--orders 20000] [--workers 2]
    python -m benchmarks.scale soak [--minutes 10] [--rate 100]

Each runs `order-sagas start` on the embedded log, with every commit synced and every transition
logged. CPU is measured for each process.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.orders import orders
from benchmarks.rows import print_result
from benchmarks.running import Running, quantiles, since, worker_cpu
from order_sagas.actors.entities import Order
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.advance import advance
from order_sagas.actors.sagas.state import SagaState, decode_plain
from order_sagas.bridges.audit import examine, ledger_of
from order_sagas.bridges.storage.changes import Changes

Result = dict[str, Any]

WARM_UP = 500
CHUNK = 1000


def timers(folder: Path, options: argparse.Namespace) -> Result:
    """Measure parked sagas whose deadlines are due within a period, with other orders meanwhile."""
    system: Running = options.use(Running(folder))
    count, within = options.parked, options.within
    begins = time.time() + 20 + count * options.writing  # the time to write and restore them
    first_due = _park(system, count, begins, within)
    system.start()
    spare = begins - time.time()
    if spare < 0:
        raise RuntimeError(f"the first timers were due {-spare:.1f} s before the system ran")
    time.sleep(max(0.0, spare - 1.0))
    before, began = system.cpu(), time.perf_counter()
    others = list(orders(int((within + 5) * options.rate), seed=5))
    _submit_steadily(system, others, options.rate)
    system.wait_for_ends(count + len(others))
    wall = time.perf_counter() - began
    cpu = since(before, system.cpu())
    late = quantiles(_lateness(system, first_due))
    took = quantiles(_from_submission(system, others))
    _check(system)
    ended = count + len(others)
    return {
        "timers": count, "others": len(others), "wall": wall, "cpu": cpu,
        **{f"late_{name}": value for name, value in late.items()},
        **{f"others_{name}": value for name, value in took.items()},
        "cpu_per_saga": sum(worker_cpu(cpu)) / ended,
    }  # fmt: skip


def _park(system: Running, count: int, begins: float, within: float) -> dict[str, float]:
    """Write sagas that wait for their payment, and return their deadlines."""
    saga = system.parts.registry.get(PLACE_ORDER.name, PLACE_ORDER.version)
    patience = saga.rows[1].within
    draw, due = random.Random(4), {}
    entities: list[Order] = []
    sagas: list[SagaState] = []
    for order in orders(count, seed=2):
        at = begins + draw.random() * within
        assert patience is not None
        sagas.append(advance(saga, None, order, at - patience).progress)
        entities.append(Order(order_id=order.order_id, status=Order.CREATED, lines=order.lines))
        due[order.order_id] = at
        if len(sagas) == CHUNK:
            system.store.commit(Changes(entities=entities, sagas=sagas), at)
            entities, sagas = [], []
    system.store.commit(Changes(entities=entities, sagas=sagas), begins)
    return due


def _lateness(system: Running, due: dict[str, float]) -> list[float]:
    """Return the delay of each deadline, in seconds."""
    late = []
    for (raw,) in system.db.execute("SELECT state FROM sagas"):
        progress = decode_plain(raw)
        at = due.get(progress.order_id)
        if at is not None:
            fired = next(e.at for e in progress.history if e.event == "saga.step_timed_out")
            late.append(fired - at)
    return late


def alone(folder: Path, options: argparse.Namespace) -> Result:
    """Measure single orders, one after the other, each until its end is committed."""
    system: Running = options.use(Running(folder))
    system.start()
    everything = list(orders(WARM_UP + options.orders))
    system.submit(everything[:WARM_UP])
    system.wait_for_ends(WARM_UP)
    before, took = system.cpu(), []
    for number, order in enumerate(everything[WARM_UP:], start=WARM_UP + 1):
        began = time.perf_counter()
        system.submit([order])
        system.wait(partial(_has_ended, system, number + 1), 0.0005)
        took.append(time.perf_counter() - began)
        time.sleep(0.02)
    cpu = since(before, system.cpu())
    _check(system)
    return {"orders": options.orders, "cpu": cpu, **quantiles(took)}


def _has_ended(system: Running, no: int) -> bool:
    """Return True if the order with this number has ended; the stock has a number, too."""
    return system.number(f"SELECT count(ended_at) FROM sagas WHERE no = {no}") == 1


def pressure(folder: Path, options: argparse.Namespace) -> Result:
    """Measure an overload: orders submitted as fast as possible."""
    system: Running = options.use(Running(folder))
    system.start()
    everything = list(orders(WARM_UP + options.orders))
    system.submit(everything[:WARM_UP])
    system.wait_for_ends(WARM_UP)
    with _Sampling(0.25, system.memory) as memory:
        before, began, first = system.cpu(), time.perf_counter(), system.memory()
        system.submit(everything[WARM_UP:])
        submitted = time.perf_counter() - began
        waiting = len(everything) - system.number("SELECT count(*) FROM sagas")
        system.wait_for_ends(len(everything))
        wall = time.perf_counter() - began
    cpu = since(before, system.cpu())
    _check(system)
    return {
        "orders": options.orders, "submitted_per_second": options.orders / submitted,
        "handled_per_second": options.orders / wall, "waiting": waiting, "cpu": cpu,
        "memory_before": first, "memory_growth": max(memory.values) - first,
    }  # fmt: skip


def workers(folder: Path, options: argparse.Namespace) -> Result:
    """Measure how fast a number of workers handles orders that wait in the log."""
    system: Running = options.use(Running(folder, options.workers))
    system.start()
    everything = list(orders(WARM_UP + options.orders))
    system.submit(everything[:WARM_UP])
    system.wait_for_ends(WARM_UP)
    system.submit(everything[WARM_UP:], notify=False)
    before, began = system.cpu(), time.perf_counter()
    system.ring()
    system.wait_for_ends(len(everything))
    wall = time.perf_counter() - began
    cpu = since(before, system.cpu())
    _check(system)
    return {
        "orders": options.orders, "workers": options.workers, "wall": wall, "cpu": cpu,
        "orders_per_second": options.orders / wall,
        "cpu_per_order": sum(worker_cpu(cpu)) / options.orders,
        "busiest_cpu_per_order": max(worker_cpu(cpu)) / options.orders,
    }  # fmt: skip


def soak(folder: Path, options: argparse.Namespace) -> Result:
    """Measure the growth of memory and file handles under a steady load, with pruning."""
    system: Running = options.use(
        Running(
            folder, options.workers, payment_silent_rate=0.05, stock_silent_rate=0.05,
            deadline_scale=0.05, keep_finished="30s", log_max_bytes="8MB", log_backups=3,
        )
    )  # fmt: skip
    system.start()
    seconds = options.minutes * 60
    everything = list(orders(int(options.rate * seconds), seed=6))
    files: list[int] = []

    def sample() -> int:
        files.append(system.files())
        return system.memory()

    with _Sampling(min(5.0, seconds / 40), sample) as memory:
        before = system.cpu()
        _submit_steadily(system, everything, options.rate)
        system.wait(lambda: not system.in_flight(), 0.1)
    cpu = since(before, system.cpu())
    _check(system)
    quarter = len(memory.values) // 4
    early, late = memory.values[quarter : 2 * quarter], memory.values[-quarter:]
    return {
        "minutes": options.minutes, "orders": len(everything), "cpu": cpu,
        "memory": max(memory.values), "memory_growth": max(late) / max(early) - 1,
        "files": max(files),
        "files_growth": max(files[-quarter:]) - max(files[quarter : 2 * quarter]),
        "database": (folder / "orders.db").stat().st_size,
        "kept": system.number("SELECT count(*) FROM sagas"),
        "cpu_per_order": sum(worker_cpu(cpu)) / len(everything),
    }  # fmt: skip


class _Sampling:
    """Calls a function periodically on a separate thread, inside its context."""

    def __init__(self, every: float, ask: Callable[[], int]) -> None:
        self.values: list[int] = []
        self._every, self._ask = every, ask
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self.values.append(self._ask())

    def __enter__(self) -> "_Sampling":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _submit_steadily(system: Running, everything: list[Any], rate: float) -> None:
    began, place = time.perf_counter(), 0
    while place < len(everything):
        due = min(len(everything), int((time.perf_counter() - began) * rate) + 1)
        if due > place:
            system.submit(everything[place:due])
            place = due
        time.sleep(0.05)


def _from_submission(system: Running, among: Iterable[Any]) -> list[float]:
    """Return the seconds from each order's submission to the end of its saga."""
    wanted = {order.order_id for order in among}
    appended = {
        bytes(key).decode(): at
        for key, at in system.db.execute(
            "SELECT key, appended_at FROM log WHERE handled = 0 AND topic = 'order-events'"
        )
    }
    return [
        ended_at - appended[order_id]
        for order_id, ended_at in system.db.execute("SELECT order_id, ended_at FROM sagas")
        if order_id in wanted
    ]


def _check(system: Running) -> None:
    """Check that nothing was lost and the audit passes; raises RuntimeError."""
    code = system.stop()
    report = examine(ledger_of(system.db), [PLACE_ORDER], ended=True)
    if code or report.violations:
        raise RuntimeError(f"exit code {code}, {report.violations[:3]}")


RUNS = {each.__name__: each for each in (timers, alone, pressure, workers, soak)}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=RUNS)
    parser.add_argument("--orders", type=int, help="how many orders")
    parser.add_argument("--parked", type=int, default=100_000, help="sagas that wait (100000)")
    parser.add_argument("--within", type=float, default=60.0, help="seconds of deadlines (60)")
    parser.add_argument("--rate", type=float, default=200.0, help="orders a second (200)")
    parser.add_argument("--workers", type=int, default=1, help="how many processes (1)")
    parser.add_argument("--writing", type=float, default=0.0006, help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=10.0, help="of soaking (10)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.orders is None:
        options.orders = {"alone": 200, "pressure": 60_000}.get(options.what, 20_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        options.use = stack.enter_context
        result = RUNS[options.what](Path(folder), options)
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    main()
