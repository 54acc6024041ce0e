"""Measures how fast the API answers what the page shows, with a long history behind it.

    python -m benchmarks.desk [--orders N] [--repeats N] [--database FILE] [--json]

Fills an SQLite database with finished orders, and with some in flight, stuck and retried; serves
it in a thread of this process, and asks for everything that the views of the page ask for. Times
are wall-clock times of whole requests in milliseconds, not scaled: the slowest repeat of each, with
the first one apart, which finds no page of the database in memory.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import attrs
import httpx
import structlog

from benchmarks.rows import print_result
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.durations import BUCKETS
from order_sagas.bridges.storage.keywords import BLOCK, keyword_number
from order_sagas.bridges.storage.store import Store
from order_sagas.system.settings import Settings
from tests.support.http_service import serving

PARTITIONS = 4
IN_FLIGHT, STUCK = 5_000, 500
LETTERS, ACTIONS, EARLY = 2_000, 20_000, 5_000
WORKERS = 4
DAY = 86_400.0
DURATIONS = f"[{', '.join(['3'] * BUCKETS)}]"
PAGE = 50
LIMIT = 300.0
"""Milliseconds within which every view has to be answered."""

STATE = (
    '{"format":2,"saga_id":"place-order/o-%d","order_id":"o-%d","saga":"place-order",'
    '"version":1,"status":%d,"stage":2,"steps":[{"phase":4,"since":1.0},%s,{},{},{}],'
    '"start":{"status":"ORDER_CREATED","orderId":"o-%d","lines":[{"sku":"SKU-1","quantity":1}]},'
    '"started_at":%.1f,"seq":5,"history":[{"at":%.1f,"event":"saga.started"},'
    '{"at":%.1f,"event":"saga.step_timed_out","step":"process payment","attempt":1}]}'
)


@attrs.frozen
class Result:
    """Milliseconds of each request: the first one, and the slowest of the others."""

    orders: int
    first: dict[str, float]
    slowest: dict[str, float]
    too_slow: list[str]
    """Requests that took longer than LIMIT, other than the first time."""
    unfinished: list[str]
    """Searches that took all their time before they had a page, so that a second request is needed.
    """


def fill(file: Path, count: int) -> None:
    """Make a database with so many orders, over the last 30 days."""
    Store(f"sqlite:///{file}", Registry([PLACE_ORDER]), PARTITIONS).close()
    now = time.time()
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA synchronous=OFF")
        for table, rows in _tables(count, now).items():
            first = next(rows)
            marks = ", ".join("?" * len(first))
            db.execute(f"INSERT INTO {table} VALUES ({marks})", first)
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        db.execute(
            "INSERT OR REPLACE INTO meta VALUES ('stored_up_to', ?)", (str(count - 2 * IN_FLIGHT),)
        )
        add = (
            "INSERT INTO log (topic, partition, key, value, headers, handled, appended_at) VALUES "
        )
        step = 30 * DAY / count
        db.executemany(
            f"{add}('order-events', ?, ?, ?, NULL, 1, ?)",
            (
                (n % PARTITIONS, b"o-%d" % n, _event(n), now - (count - n) * step)
                for n in range(1, count + 1)
            ),
        )
        db.executemany(
            f"{add}('dead-letters', 0, NULL, ?, ?, 1, ?)",
            [(b"{}", _headers(n), now) for n in range(LETTERS)],
        )
        db.commit()


def _tables(count: int, now: float) -> dict[str, Iterator[tuple[object, ...]]]:
    numbers = range(1, count + 1)
    step = 30 * DAY / count
    flying = count - IN_FLIGHT

    def at(n: int) -> float:
        return now - (count - n) * step

    def status(n: int) -> str:
        if n <= flying:
            return "CANCELLED" if n % 20 == 0 else "COMPLETED"
        return "NEEDS_ATTENTION" if n % (IN_FLIGHT // STUCK) == 0 else "RUNNING"

    def order(n: int) -> tuple[object, ...]:
        lines = [
            f'{{"sku":"{sku}","quantity":1,"unit_price":{n % 90_000}}}' for sku in skus(n, count)
        ]
        text = f"[{','.join(lines)}]"
        state = status(n) if n <= flying else "CREATED"
        code = "out_of_stock" if state == "CANCELLED" else ""
        return (n, f"o-{n}", state, f"c-{n * 7919 % 100_000}", "EUR", n % 90_000, "main", text,
                code, code and "SKU: 1 wanted, 0 on hand", at(n), at(n))  # fmt: skip

    def keywords(n: int) -> Iterator[tuple[object, ...]]:
        for sku in skus(n, count):
            yield n // BLOCK, keyword_number(sku), 0

    def saga(n: int) -> tuple[object, ...]:
        state, ended = status(n), n <= flying
        number = {"RUNNING": 0, "NEEDS_ATTENTION": 2, "COMPLETED": 3, "CANCELLED": 4}[state]
        phase = 3 if state == "NEEDS_ATTENTION" else 1
        due = now + n % 60
        steps = f'{{"phase":{phase},"attempt":{1 + n % 3},"since":1.0,"deadline":{due:.1f}}}'
        raw = STATE % (n, n, number, "{}" if ended else steps, n, at(n), at(n), at(n) + 1)
        code = "out_of_stock" if state == "CANCELLED" else ""
        return (n, "place-order", f"o-{n}", n % PARTITIONS, 1, state,
                "" if ended else "process payment", None if ended else due, code,
                code and "SKU: 1 wanted, 0 on hand", 5, at(n), at(n) + 1 if ended else None, raw,
                0)  # fmt: skip

    def payment(n: int) -> tuple[object, ...]:
        return n, f"o-{n}", "COMPLETED", 1, "EUR", f"ch-{n}", "", 1, 0, "", "", "", at(n)

    def action(n: int) -> tuple[object, ...]:
        return (n, f"operator/{n // 500}/{n}", str(n // 500), at(n), "ann", "page", "retry", "saga",
                f"place-order/o-{n}", "process payment", "a test", "done", "", at(n), "",
                None)  # fmt: skip

    def figures(resolution: int, moments: int) -> Iterator[tuple[object, ...]]:
        begin = int(now) // resolution * resolution - resolution * moments
        for k in range(moments):
            for worker in range(WORKERS):
                counts = (90, 88, 4, 700, 1)
                yield (resolution, begin + k * resolution, f"host:{worker}", *counts, DURATIONS,
                       1000, 1, STUCK, 7, 100)  # fmt: skip

    def early(n: int) -> tuple[object, ...]:
        no = count - n % IN_FLIGHT
        return (f"e-{n}", "orchestrator", no % PARTITIONS, f"o-{no}", "payment-events", 0, n,
                b"o-%d" % no, _event(no), None, now)  # fmt: skip

    return {
        "order_keys": ((n, f"o-{n}", n % PARTITIONS, b"f", None) for n in numbers),
        "order_keywords": iter(dict.fromkeys(chain.from_iterable(map(keywords, numbers)))),
        "orders": map(order, numbers),
        "sagas": map(saga, numbers),
        "payments": map(payment, numbers),
        "reservations": (
            (n, f"o-{n}", "HELD", "main", '[{"sku":"SKU-1","quantity":1}]', "", "", at(n))
            for n in numbers
        ),
        "operator_actions": map(action, range(1, ACTIONS + 1)),
        "history": chain(figures(10, 360), figures(60, 1440)),
        "early_replies": map(early, range(EARLY)),
        "stock": (("main", f"SKU-{n}", 5, 5, 10) for n in range(5000)),
    }


def skus(n: int, count: int) -> list[str]:
    """The SKUs of an order: one of 5,000, one that is frequent, and in a few old orders a third."""
    rare = ["RARE"] if n < count // 2 and n % (count // 7) == 1 else []
    return [f"SKU-{n % 5000}", f"POPULAR-{n % 10}", *rare]


def _event(n: int) -> bytes:
    return b'{"status":"ORDER_CREATED","orderId":"o-%d","eventId":"e","customerId":"c-1"}' % n


def _headers(n: int) -> bytes:
    from order_sagas.bridges.records.dead_letter import ABOUT
    from order_sagas.bridges.storage.headers import pack

    error = f"unknown status 'NO_SUCH_{n}'; known: A" if n % 3 else f"not JSON: byte {n}"
    texts = ("order-events", "0", str(n), error, "2026-11-27T00:00:00Z")
    packed = pack(tuple((name, text.encode()) for name, text in zip(ABOUT, texts, strict=True)))
    assert isinstance(packed, bytes)
    return packed


def questions(count: int) -> dict[str, str]:
    """What the views of the page ask for, by name: paths with their queries."""
    search = f"api/v1/orders?limit={PAGE}&"
    return {
        "overview: groups": "api/v1/sagas/groups",
        "overview: retrying": "api/v1/sagas/retrying",
        "overview: early replies": "api/v1/sagas/early?limit=5",
        "overview: approvals": "api/v1/operator-actions?outcome=pending&limit=6",
        "dead letters": "api/v1/dead-letters?limit=50",
        "dead letters: groups": "api/v1/dead-letters/groups",
        "dead letters: error": "api/v1/dead-letters?limit=50&error=nothing",
        "dead letters: topic, time": "api/v1/dead-letters?topic=order-events&since=2020-01-01",
        "orders": "api/v1/orders?limit=50",
        "orders: older": f"api/v1/orders?limit=50&after={count // 2}",
        "orders: cancelled": f"{search}status=CANCELLED",
        "orders: prefix": f"{search}prefix=o-12345",
        "orders: short prefix": f"{search}prefix=o-1",
        "orders: customer": f"{search}customer=c-4711",
        "orders: SKU": f"{search}sku=SKU-17",
        "orders: frequent SKU": f"{search}sku=POPULAR-3",
        "orders: rare SKU": f"{search}sku=RARE",
        "orders: SKU that there is not": f"{search}sku=NONE",
        "orders: amount": f"{search}amountFrom=EUR%20899.90",
        "orders: amount of many": f"{search}amountFrom=EUR%201&sku=NONE",
        "orders: code": f"{search}code=out_of_stock",
        "orders: reason that there is not": f"{search}reason=nothing",
        "orders: of cancelled, reason": f"{search}status=CANCELLED&reason=nothing",
        "orders: time": f"{search}startedFrom=2020-01-01&startedTo=2020-01-02",
        "orders: ended": f"{search}endedTo=2020-01-02",
        "orders: ended lately": f"{search}endedFrom=2999-01-01",
        "orders: prefix, SKU": f"{search}prefix=o-1&sku=SKU-1",
        "orders: step": f"{search}step=process%20payment",
        "sagas: stuck": "api/v1/sagas?status=NEEDS_ATTENTION&limit=50",
        "sagas: stuck for a cause": "api/v1/sagas?status=NEEDS_ATTENTION&cause=no%20answer",
        "sagas: version": "api/v1/sagas?version=7&limit=50",
        "sagas: version of many, reason": "api/v1/sagas?version=1&reason=nothing&limit=50",
        "sagas: ended": "api/v1/sagas?endedFrom=2999-01-01&limit=50",
        "saga in flight": f"api/v1/sagas/place-order/o-{count - 1}",
        "saga: messages": f"api/v1/sagas/place-order/o-{count // 2}?messages=true",
        "definitions": "api/v1/definitions",
        "history: an hour": "api/v1/history?hours=1",
        "history: a day": "api/v1/history?hours=24",
        "workers": "api/v1/workers",
        "audit": "api/v1/audit",
        "order": f"api/v1/orders/o-{count // 3}",
        "saga": f"api/v1/sagas/place-order/o-{count // 3}",
        "actions": "api/v1/operator-actions?limit=50",
        "actions: operator": "api/v1/operator-actions?by=nobody&limit=50",
        "actions: request": "api/v1/operator-actions/requests/5",
        "stock": "api/v1/stock",
        "metrics": "metrics",
    }


def run(count: int, repeats: int, file: Path) -> Result:
    """Fill the database unless the file exists, and ask."""
    if not file.exists():
        fill(file, count)
    settings = Settings(
        database=f"sqlite:///{file}", partitions=PARTITIONS, log_dir=file.parent / "logs"
    )
    first: dict[str, float] = {}
    slowest: dict[str, float] = {}
    unfinished: list[str] = []
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with serving(settings, rate=0) as client:
        for name, path in {"overview: snapshot": "", **questions(count)}.items():
            took = [_asked(client, path) for _ in range(1 + repeats)]
            first[name], slowest[name] = took[0], max(took[1:])
            if path.startswith("api/v1/orders?"):
                page = client.get(f"/{path}").json()
                if page["next"] and len(page["orders"]) < PAGE:
                    unfinished.append(name)
    too_slow = [name for name, took in slowest.items() if took > LIMIT]
    return Result(count, first, slowest, too_slow, unfinished)


def _asked(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    if path:
        client.get(f"/{path}", timeout=60).raise_for_status()
    else:
        with client.stream("GET", "/api/v1/events", timeout=60) as stream:
            next(line for line in stream.iter_lines() if line.startswith("data:"))
    return round((time.perf_counter() - began) * 1000, 1)


def main() -> None:
    """Run, and print the result; exit with 1 if a view is too slow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--database", type=Path, help="use this file; it is kept")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = options.database or Path(folder) / "orders.db"
        result = run(options.orders, options.repeats, file)
    print_result(attrs.asdict(result), as_json=options.json)
    if result.too_slow:
        raise SystemExit(f"slower than {LIMIT:g} ms: {', '.join(result.too_slow)}")


if __name__ == "__main__":
    main()
