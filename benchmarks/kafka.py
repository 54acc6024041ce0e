"""Measures orders on a real Kafka: worker processes, with SQLite or PostgreSQL.

    python -m benchmarks.kafka [--orders 5000] [--workers 1] [--database sqlite] [--json]

CPU is that of workers, broker and database, from before the first order to after the last.
Latencies are of sagas run one after the other, which share no batch.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import attrs
import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import structlog

from benchmarks.orders import DECLINED, orders, stock
from benchmarks.rows import print_result
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import KafkaSystem, fresh_topics
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

WARM_UP, ALONE = 200, 50
PATIENCE = 300.0


@attrs.frozen
class Result:
    """The result of a run, in seconds; CPU is per order."""

    orders: int
    workers: int
    worker_cpu: float
    broker_cpu: float
    database_cpu: float
    """0 for SQLite, which runs in the workers."""
    wall: float
    p50: float
    p99: float


def run(count: int, workers: int, database: str) -> Result:
    """Start everything, warm up, and measure single orders, then all orders at once."""
    with tempfile.TemporaryDirectory() as folder:
        broker = KafkaBroker(Path(folder) / "kafka")
        server = PostgresServer(Path(folder) / "postgres") if database == "postgresql" else None
        system: KafkaSystem | None = None
        try:
            broker.start()
            if server:
                server.start()
            fresh_topics(broker.bootstrap_servers)
            system = KafkaSystem(
                Path(folder),
                broker.bootstrap_servers,
                server.url() if server else f"sqlite:///{folder}/orders.db",
                session_timeout="30s",
                payment_decline_rate=DECLINED,
                deadline_scale=1000.0,
            )
            return _measure(system, broker, server, count, workers)
        finally:
            if system:
                system.close()
            broker.kill()
            if server:
                server.kill()


def _measure(
    system: KafkaSystem,
    broker: KafkaBroker,
    server: PostgresServer | None,
    count: int,
    workers: int,
) -> Result:
    system.make_tables()
    started = [system.start() for _ in range(workers)]
    wait_until(lambda: all("shards_assigned" in worker.printed for worker in started), "shards")
    everything = list(orders(WARM_UP + ALONE + count))
    system.put("stock-events", stock())
    system.put("order-events", *everything[:WARM_UP])
    system.wait_for_ends(WARM_UP, PATIENCE)
    for number, order in enumerate(everything[WARM_UP : WARM_UP + ALONE], start=1):
        system.put("order-events", order)
        system.wait_for_ends(WARM_UP + number)
    p50, p99 = _latencies(system)
    processes = [psutil.Process(worker.process.pid) for worker in started]

    def used() -> tuple[float, float, float]:
        times = [process.cpu_times() for process in processes]
        own = sum(time.user + time.system for time in times)
        return own, broker.cpu_seconds(), server.cpu_seconds() if server else 0.0

    before, began = used(), time.perf_counter()
    for place in range(WARM_UP + ALONE, len(everything), 5000):
        system.put("order-events", *everything[place : place + 5000])
    _wait_seldom(system, len(everything))
    wall = time.perf_counter() - began
    own, brokers, databases = (b - a for a, b in zip(before, used(), strict=True))
    return Result(count, workers, own / count, brokers / count, databases / count, wall, p50, p99)


def _wait_seldom(system: KafkaSystem, count: int) -> None:
    """Wait for a number of ended sagas. Polls a few times a second, since polling costs CPU."""
    until, pause = time.perf_counter() + PATIENCE, threading.Event()
    while system.ended() < count:
        if time.perf_counter() > until:
            raise RuntimeError(f"{system.ended()} of {count} sagas ended in {PATIENCE:g} s")
        pause.wait(0.25)
    system.wait_for_ends(count, PATIENCE)


def _latencies(system: KafkaSystem) -> tuple[float, float]:
    """Return the durations of the sagas that ran alone, in seconds."""
    took = sorted(
        ended - started
        for ended, started in system.rows(
            f"SELECT ended_at, started_at FROM sagas ORDER BY started_at DESC LIMIT {ALONE}"
        )
    )
    return took[len(took) // 2], took[len(took) * 99 // 100]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=5_000, help="how many orders (5000)")
    parser.add_argument("--workers", type=int, default=1, help="how many processes (1)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    result = run(arguments.orders, arguments.workers, arguments.database)
    print_result(attrs.asdict(result), as_json=arguments.json)


if __name__ == "__main__":
    main()
