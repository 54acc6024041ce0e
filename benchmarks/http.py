"""Measures orders over HTTP: throughput, latency, and CPU of the process.

    python -m benchmarks.http [--orders N] [--connections N] [--json]

`order-sagas http` runs in a separate process on the embedded log, with every commit synced and
every request logged, and without a worker. The clients are in this process: each keeps a
connection open, and posts its next order after the response to the last one.
"""

import argparse
import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec
import psutil  # type: ignore[import-untyped]  # no stubs installed

from benchmarks.orders import orders
from benchmarks.rows import print_result
from order_sagas.actors.messages import OrderCreated
from tests.support.cli import COMMAND, environment
from tests.support.ports import free_port, is_listening
from tests.support.waiting import wait_until


@attrs.frozen
class Result:
    """The result of a run. Times are in seconds, not scaled."""

    orders: int
    connections: int
    wall: float
    p50: float
    p99: float
    cpu_per_order: float
    """CPU of the serving process."""


def run(count: int, connections: int) -> Result:
    """Run the benchmark in a new directory."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = environment(Path(folder), log_dir=Path(folder) / "logs", http_rate=0)
        command = [*COMMAND, "http", "--http", f"127.0.0.1:{port}"]
        with subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                wait_until(lambda: is_listening(port), "HTTP to be served")
                bodies = [_request(order) for order in orders(count)]
                asyncio.run(_post_all(port, connections, iter(bodies[: count // 20])))
                process = psutil.Process(server.pid)
                cpu, wall = _cpu(process), time.perf_counter()
                took = asyncio.run(_post_all(port, connections, iter(bodies[count // 20 :])))
                cpu, wall = _cpu(process) - cpu, time.perf_counter() - wall
            finally:
                server.send_signal(signal.SIGTERM)
    took.sort()
    done = len(took)
    p50, p99 = took[done // 2], took[done * 99 // 100]
    return Result(done, connections, wall, p50, p99, cpu / done)


def _request(order: OrderCreated) -> bytes:
    body = msgspec.json.encode(
        {
            "orderId": order.order_id,
            "customerId": order.customer_id,
            "currency": order.currency,
            "lines": order.lines,
        }
    )
    return (
        b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


async def _post_all(port: int, connections: int, requests: Iterator[bytes]) -> list[float]:
    """Return the seconds to the response of each order."""
    took: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 201"):
                raise RuntimeError(f"an order was not taken: {head.decode()}")
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return took


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=20_000, help="how many orders (20000)")
    parser.add_argument("--connections", type=int, default=64, help="clients at once (64)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    result = run(arguments.orders, arguments.connections)
    print_result(attrs.asdict(result), as_json=arguments.json)


if __name__ == "__main__":
    main()
