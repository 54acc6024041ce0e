"""Runs the demonstration: the real system with a real database and log, in this process."""

import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import attrs
import msgspec
from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.participants import STOCK
from order_sagas.bridges.intake.intake import CHUNK, Intake
from order_sagas.bridges.intake.stock_files import loads_of
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.demo import orders
from order_sagas.system.gc_settings import tune_garbage_collection
from order_sagas.system.logs import configure_logging
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings

DEADLINE_SCALE = 0.025
"""Factor of all deadlines: 30 s become 0.75 s."""
LOOK = 0.08
"""Minimum seconds between two polls of the progress."""


@attrs.frozen
class Demo:
    """Parameters of a finished demonstration, and the durations measured while it ran."""

    settings: Settings
    orders: int
    seed: int
    submitting: float
    """Seconds spent submitting the orders."""
    working: float
    """Seconds from the start of the system until the commit of the last waiting record."""
    whole: float
    """Seconds from the start of the system until the last order had ended."""
    cpu: float
    """CPU seconds of the thread that runs the actors."""


def demo_settings(directory: Path, seed: int) -> Settings:
    """Return default settings, except for directories, seed, deadlines and batch size."""
    return Settings(
        database=f"sqlite:///{directory / 'orders.db'}",
        seed=seed,
        deadline_scale=DEADLINE_SCALE,
        batch_size=100,
    )


def run_demo(
    directory: Path, count: int, seed: int, show: Callable[[dict[str, int]], None]
) -> Demo:
    """Submit the orders and run until all have ended; `show` is called with saga counts by status.

    `directory` must not contain a database yet. If the system fails, its error is raised.
    """
    settings = demo_settings(directory, seed)
    with DatabaseLock(settings.database):
        submitting = _submit(settings, count, seed)
        clock = SystemClock()
        sink = configure_logging(settings, clock)
        began = time.monotonic()
        commits: list[float] = []
        parts = Parts(
            settings=settings,
            clock=clock,
            clients={"payments": orders.gateway(seed)},
            flush=sink.flush,
            watch=lambda at: commits.append(time.monotonic()) if at == "after commit" else None,
        )
        tune_garbage_collection()
        running = start(parts, ActorSystem(EventLoopBase(clock), transientUnique=True))
        try:
            drained = _watch(settings, count, show, running.failed, commits)
            cpu = _cpu_of("actors")
            whole = time.monotonic() - began
        finally:
            running.stop()
            sink.close()
    if running.failure:
        raise running.failure
    return Demo(settings, count, seed, submitting, drained - began, whole, cpu)


def _submit(settings: Settings, count: int, seed: int) -> float:
    with EmbeddedLog(settings.database, settings.partitions) as log:
        goods = [*orders.stock(count)]
        log.append(
            *[
                log.outgoing(STOCK.topic, load.warehouse, msgspec.json.encode(load))
                for load in loads_of(goods)
            ]
        )
        made = orders.orders(count, seed)
        began = time.monotonic()
        intake = Intake(log)
        while chunk := list(islice(made, CHUNK)):
            intake.take(chunk)
        return time.monotonic() - began


def _watch(
    settings: Settings,
    count: int,
    show: Callable[[dict[str, int]], None],
    failed: threading.Event,
    commits: list[float],
) -> float:
    """Wait until every saga has ended. Returns the time when the last record was handled."""
    drained = 0.0
    pause = LOOK
    while not failed.wait(pause):
        looked = time.monotonic()
        with queries.reading(settings.database) as db:
            counts = queries.saga_counts(db)
            if not drained and queries.all_handled(db):
                drained = max((at for at in commits if at <= looked), default=looked)
        show(counts)
        if sum(counts.get(status, 0) for status in ("COMPLETED", "CANCELLED")) >= count:
            break
        pause = max(LOOK, 4 * (time.monotonic() - looked))
    return drained or time.monotonic()


def _cpu_of(name: str) -> float:
    """Return the CPU seconds of a running thread, or of the process if threads have no clocks."""
    for thread in threading.enumerate():
        if thread.name == name and thread.ident and hasattr(time, "pthread_getcpuclockid"):
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return time.process_time()
