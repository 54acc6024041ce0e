"""A system as people run it, `order-sagas start` in processes of its own, and what they use."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency

from actors.messages import OrderCreated
from benchmarks.embedded import append
from benchmarks.orders import DECLINED, stock
from bridges.doorbell import ring
from bridges.embedded_log import EmbeddedLog
from bridges.intake import CHUNK, Intake
from system.bootstrap import Parts, open_store
from system.settings import load_settings
from tests.support.cli import Started, environment, order_sagas

PATIENCE = 600.0


class QuietLog(EmbeddedLog):
    """Rings for nobody: what is written waits until the whole load is there."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.db.transaction() as cursor:
            yield cursor


class Running:
    """One system on a fresh database with plenty of stock. `settings` differ from the defaults."""

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
        """Return once it has said that it runs, and has handled the stock."""
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
        """The process of each worker that runs."""
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
        """Let it finish the batch in hand; answers its exit code."""
        return self._started.stop() if self._started else 0

    def submit(self, orders: Sequence[OrderCreated], *, heard: bool = True) -> None:
        """Take orders in; with `heard`, the system hears of each thousand."""
        for place in range(0, len(orders), CHUNK):
            self.intake.take(orders[place : place + CHUNK])
            if heard:
                self.ring()

    def ring(self) -> None:
        """Tell the system that records wait."""
        ring(self.settings.database)

    # --- what came of it ----------------------------------------------------------------------

    def number(self, sql: str) -> int:
        """The one number that a query finds."""
        return int(self.db.execute(sql).fetchone()[0])

    def in_flight(self) -> int:
        """Sagas that have not ended: a quick question, by an index."""
        return self.number("SELECT count(*) FROM sagas WHERE ended_at IS NULL")

    def wait_for_ends(self, count: int) -> None:
        """Return when so many sagas have ended; looking often would cost the workers time."""
        last = "SELECT count(*) FROM sagas"
        self.wait(lambda: self.number(last) >= count and not self.in_flight(), 0.1)

    def wait(self, condition: Callable[[], bool], pause: float = 0.02) -> None:
        """Return when it holds; raises RuntimeError if that takes too long."""
        until, waiting = time.perf_counter() + PATIENCE, threading.Event()
        while not condition():
            if time.perf_counter() > until:
                raise RuntimeError("it takes too long")
            waiting.wait(pause)

    # --- what it uses -------------------------------------------------------------------------

    def cpu(self) -> Mapping[str, float]:
        """CPU seconds of every process so far."""
        used: dict[str, float] = {}
        for process, name in self.processes.items():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used[name] = used.get(name, 0.0) + times.user + times.system
        return {**used, "benchmark": time.process_time()}

    def memory(self) -> int:
        """Resident bytes of the workers."""
        return sum(int(process.memory_info().rss) for process in self._workers())

    def files(self) -> int:
        """Open file handles of the workers."""
        return sum(int(process.num_fds()) for process in self._workers())

    def _workers(self) -> list[Any]:
        return [process for process, name in self.processes.items() if name.startswith("worker")]


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each process used meanwhile."""
    return {name: after[name] - before.get(name, 0.0) for name in after}


def worker_cpu(used: Mapping[str, float]) -> list[float]:
    """That of each worker."""
    return [seconds for name, seconds in used.items() if name.startswith("worker")]


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """The middle, the worst of a hundred, and the worst."""
    ordered = sorted(values)
    return {
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[len(ordered) * 99 // 100],
        "max": ordered[-1],
    }
