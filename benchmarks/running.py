"""Runs `order-sagas start` in separate processes, and measures them."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency

from benchmarks.embedded import append
from benchmarks.orders import DECLINED, stock
from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.intake.intake import CHUNK, Intake
from order_sagas.bridges.logs.doorbell import ring
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.system.bootstrap import Parts, open_store
from order_sagas.system.settings import load_settings
from tests.support.cli import Started, environment, order_sagas

PATIENCE = 600.0


class QuietLog(EmbeddedLog):
    """A doorbell that notifies no worker, so that the whole load can be written first."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Run a transaction of appends, without a notification at its end."""
        with self.db.transaction() as cursor:
            yield cursor


class Running:
    """A system on a new database with plenty of stock; `settings` override the defaults."""

    def __init__(self, folder: Path, workers: int = 1, **settings: object) -> None:
        self.folder = folder
        self._count = workers
        named = {
            "workers": workers,
            "log_dir": folder / "logs",
            "payment_decline_rate": DECLINED,
            **settings,
        }
        self.env = environment(folder, **named)
        flags = {name: str(value) for name, value in named.items()}
        flags["database"] = self.env["ORDER_SAGAS_DATABASE"]
        self.settings, _ = load_settings(flags, {})
        self.parts = Parts(settings=self.settings)
        self.store = open_store(self.settings, self.parts.registry, self.parts.services)
        append(self.store, "stock-events", [stock()], time.time())
        self.db = sqlite3.connect(folder / "orders.db", isolation_level=None)
        self.log = QuietLog(self.settings.database, self.settings.partitions)
        self.intake = Intake(self.log)
        self._started: Started | None = None

    def start(self) -> None:
        """Wait until it runs and has handled the stock."""
        self._started = Started(self.folder, self.env)
        self.wait(lambda: self.number("SELECT count(*) FROM stock_loads") == 1)
        first = psutil.Process(self._started.process.pid)
        self.processes = {first: "worker 0"}
        if self._count > 1:
            self.wait(lambda: len(self._answering()) == self._count)
            workers = {psutil.Process(pid): n for n, pid in self._answering().items()}
            self.processes = {
                first: "supervision",
                **{process: f"worker {n}" for process, n in workers.items()},
            }

    def _answering(self) -> dict[int, int]:
        """Return the processes of the running workers."""
        status = json.loads(order_sagas("status", "--json", env=self.env).stdout)
        return {w["number"]: w["pid"] for w in status["workers"] if w["report"]}

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            self._started.__exit__(None, None, None)
        self.store.close()
        self.log.close()
        self.db.close()

    def stop(self) -> int:
        """Stop it in good order, and return its exit code."""
        return self._started.stop() if self._started else 0

    def submit(self, orders: Sequence[OrderCreated], *, notify: bool = True) -> None:
        """Submit orders; with `notify`, the workers are notified after each thousand."""
        for place in range(0, len(orders), CHUNK):
            self.intake.take(orders[place : place + CHUNK])
            if notify:
                self.ring()

    def ring(self) -> None:
        """Notify the workers of new records."""
        ring(self.settings.database)

    # --- results ------------------------------------------------------------------------------

    def number(self, sql: str) -> int:
        """Return the number that a query finds."""
        return int(self.db.execute(sql).fetchone()[0])

    def in_flight(self) -> int:
        """Return the number of sagas in flight, by a fast query on an index."""
        return self.number("SELECT count(*) FROM sagas WHERE ended_at IS NULL")

    def wait_for_ends(self, count: int) -> None:
        """Wait for a number of ended sagas. Polls rarely, since polling costs CPU."""
        last = "SELECT count(*) FROM sagas"
        self.wait(lambda: self.number(last) >= count and not self.in_flight(), 0.1)

    def wait(self, condition: Callable[[], bool], pause: float = 0.02) -> None:
        """Wait for a condition. Raises RuntimeError if that takes too long."""
        until, waiting = time.perf_counter() + PATIENCE, threading.Event()
        while not condition():
            if time.perf_counter() > until:
                raise RuntimeError("it takes too long")
            waiting.wait(pause)

    # --- resources ----------------------------------------------------------------------------

    def cpu(self) -> Mapping[str, float]:
        """Return the CPU seconds of each process so far."""
        used: dict[str, float] = {}
        for process, name in self.processes.items():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used[name] = used.get(name, 0.0) + times.user + times.system
        return {**used, "benchmark": time.process_time()}

    def memory(self) -> int:
        """Return the resident memory of the workers, in bytes."""
        return sum(int(process.memory_info().rss) for process in self._workers())

    def files(self) -> int:
        """Return the number of open file handles of the workers."""
        return sum(int(process.num_fds()) for process in self._workers())

    def _workers(self) -> list[Any]:
        return [process for process, name in self.processes.items() if name.startswith("worker")]


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the difference of two measurements, by process."""
    return {name: after[name] - before.get(name, 0.0) for name in after}


def worker_cpu(used: Mapping[str, float]) -> list[float]:
    """Return the values of the workers."""
    return [seconds for name, seconds in used.items() if name.startswith("worker")]


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the maximum."""
    ordered = sorted(values)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[len(ordered) * 99 // 100],
        "max": ordered[-1],
    }
