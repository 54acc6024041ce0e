"""Measures the cost of an order on the embedded log, with and without parked sagas.

    python -m benchmarks.embedded [--orders N] [--parked N] [--json]

Parked sagas are written to the database in the state after their start, and the system is started
on it: this gives the restart time and the memory of a parked saga, and then the cost of other
orders. Every commit is durable (`synchronous=FULL`), and every transition is logged at level info.
"""

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import msgspec
import psutil  # type: ignore[import-untyped]  # no stubs installed
import sqlalchemy as sa
from thespian.actors import ActorSystem

from benchmarks.orders import DECLINED, orders, stock
from benchmarks.rows import print_result
from order_sagas.actors.clock import SystemClock
from order_sagas.actors.entities import Notification, Order, Payment, Reservation
from order_sagas.actors.messages import Message, PaymentCompleted, StockReserved
from order_sagas.actors.sagas.advance import advance
from order_sagas.bridges.intake.intake import Intake
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.log_queues import HANDLED, TO_READ
from order_sagas.bridges.storage.sqlite import sqlite_engine
from order_sagas.bridges.storage.store import Store
from order_sagas.system.bootstrap import Parts, open_store, start
from order_sagas.system.gc_settings import tune_garbage_collection
from order_sagas.system.logs import configure_logging
from order_sagas.system.running_system import RunningSystem
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings

CHUNK = 1000


@attrs.frozen
class Result:
    """The result of a run in this process. Times are in seconds, not scaled."""

    parked: int
    orders: int
    cpu_per_order: float
    cpu_per_submitted: float
    wall: float
    p50: float
    p99: float
    bytes_per_parked: float
    restart: float


def _call(function: Callable[..., Any], *arguments: Any) -> None:
    function(*arguments)


def run(
    count: int,
    parked: int,
    finished: int = 0,
    log_level: str = "info",
    watched: Callable[..., Any] = _call,
) -> Result:
    """Run the benchmark in a new directory. `watched` calls the measured function."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            database=f"sqlite:///{folder}/orders.db",
            log_dir=Path(folder) / "logs",
            log_level=log_level,
            payment_decline_rate=DECLINED,
            deadline_scale=1000.0,
        )
        clock = SystemClock()
        sink = configure_logging(settings, clock)
        parts = Parts(settings=settings, flush=sink.flush)
        store = open_store(settings, parts.registry, parts.services)
        _park(store, parts, parked)
        _finish(store, parts, finished)
        append(store, "stock-events", [stock()], clock.now())
        base = EventLoopBase(threaded=False)
        actors = ActorSystem(base, transientUnique=True)
        gc.collect()
        before, began = _resident(), time.perf_counter()
        running = start(parts, actors)
        base.run_until(lambda: _handled_stock(settings), 600)
        restart = time.perf_counter() - began
        tune_garbage_collection()
        per_parked = (_resident() - before) / parked if parked else 0.0
        _forget(store)
        submitting = time.process_time()
        _submit(settings, count)
        submitting = time.process_time() - submitting
        cpu, wall = time.process_time(), time.perf_counter()
        watched(_proceed, running, base)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        p50, p99 = _latencies(settings, count, finished)
        running.stop()
        each = submitting / count
        return Result(parked, count, cpu / count, each, wall, p50, p99, per_parked, restart)


def append(store: Store, topic: str, messages: Iterable[Message], now: float) -> None:
    """Append messages to the embedded log, like `order-sagas submit`."""
    encode = msgspec.json.Encoder().encode
    batch: list[tuple[Outgoing, int]] = []
    for message in messages:
        key = message.order_id.encode()
        partition = partition_for(key, store.partitions)
        batch.append((Outgoing(topic, partition, key, encode(message)), TO_READ))
        if len(batch) == CHUNK:
            store.commit(Changes(appended=batch), now)
            batch = []
    store.commit(Changes(appended=batch), now)


def _submit(settings: Settings, count: int) -> None:
    """Submit orders like `order-sagas submit`, after reading its file."""
    with EmbeddedLog(settings.database, settings.partitions) as log:
        intake, waiting = Intake(log), list(orders(count))
        for place in range(0, count, CHUNK):
            intake.take(waiting[place : place + CHUNK])


def _park(store: Store, parts: Parts, count: int) -> None:
    """Write sagas that wait for their payment, with deadlines in some hours."""
    saga = next(iter(parts.registry))
    now = time.time()
    entities, sagas = [], []
    for order in orders(count, seed=2):
        sagas.append(advance(saga, None, order, now).progress)
        entities.append(Order(order_id=order.order_id, status=Order.CREATED))
        if len(sagas) == CHUNK:
            store.commit(Changes(entities=entities, sagas=sagas), now)
            entities, sagas = [], []
    store.commit(Changes(entities=entities, sagas=sagas), now)


def _finish(store: Store, parts: Parts, count: int) -> None:
    """Write orders that completed long ago, with all their rows."""
    saga = next(iter(parts.registry))
    now = time.time()
    written: Changes = Changes(entities=[], sagas=[])
    for order in orders(count, seed=3):
        order_id = order.order_id
        decision = advance(saga, None, order, now)
        records = list(decision.sends)
        for reply in (PaymentCompleted(order_id=order_id), StockReserved(order_id=order_id)):
            decision = advance(saga, decision.progress, reply, now)
            records += decision.sends
        written.sagas = [*written.sagas, decision.progress]
        written.entities = [
            *written.entities,
            Order(order_id=order_id, status=Order.COMPLETED, lines=order.lines),
            Payment(order_id=order_id, status=Payment.COMPLETED, charges=1),
            Reservation(order_id=order_id, status=Reservation.HELD, lines=order.lines),
            Notification(order_id=order_id, status=Notification.SENT, about="completed", sends=1),
        ]
        for send in records:
            value = msgspec.json.encode(send.message)
            written.appended.append((Outgoing(send.to.topic, 0, order_id.encode(), value), HANDLED))
        if len(list(written.sagas)) == 100:
            store.commit(written, now)
            written = Changes(entities=[], sagas=[])
    store.commit(written, now)


def _forget(store: Store) -> None:
    store.close()
    gc.collect()


def _handled_stock(settings: Settings) -> bool:
    with sqlite_engine(sa.make_url(settings.database)).connect() as db:
        return bool(db.execute(sa.text("SELECT count(*) FROM stock_loads")).scalar())


def _proceed(running: RunningSystem, base: EventLoopBase) -> None:
    from order_sagas.bridges.processor.messages import RecordsWaiting

    running.tell_processor(RecordsWaiting())
    base.run_until_idle()


def _latencies(settings: Settings, count: int, finished: int) -> tuple[float, float]:
    """Return p50 and p99 of the seconds from a saga's start to its end."""
    with sqlite_engine(sa.make_url(settings.database)).connect() as db:
        query = "SELECT ended_at - started_at FROM sagas WHERE ended_at IS NOT NULL ORDER BY 1"
        took = [row[0] for row in db.execute(sa.text(query))]
    if len(took) != count + finished:
        raise RuntimeError(f"{len(took) - finished} of {count} orders have ended")
    took = took[finished:]  # these have a duration of 0
    return took[len(took) // 2], took[len(took) * 99 // 100]


def _resident() -> int:
    return int(psutil.Process(os.getpid()).memory_info().rss)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=20_000, help="how many orders (20000)")
    parser.add_argument("--parked", type=int, default=0, help="sagas that wait meanwhile (0)")
    parser.add_argument("--finished", type=int, default=0, help="orders of the past (0)")
    parser.add_argument("--log-level", default="info", help="what is logged (info)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    result = run(arguments.orders, arguments.parked, arguments.finished, arguments.log_level)
    print_result(attrs.asdict(result), as_json=arguments.json)


if __name__ == "__main__":
    main()
