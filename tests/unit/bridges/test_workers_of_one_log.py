"""Two workers on one embedded log: forwarded records are read before new ones."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.storage.queries import all_handled, reading, waiting
from tests.support.embedded import Crash, EmbeddedSystem, an_order

PARTITIONS = 4
STOCK = partition_for(b"main", PARTITIONS)
BATCH = 4


def ids(name: str, count: int, *, beside_stock: bool) -> list[str]:
    """Order ids on the shard of the stock, or on another one."""
    found = (f"{name}-{i}" for i in range(1000))
    wanted = [i for i in found if (partition_for(i.encode(), PARTITIONS) == STOCK) == beside_stock]
    return wanted[:count]


class Workers:
    """Two workers: one owns the shard of the stock, the other one all other shards."""

    def __init__(self, directory: Path, watch: Callable[[str], None] = lambda point: None) -> None:
        def worker(shards: set[int]) -> EmbeddedSystem:
            settings = {"partitions": PARTITIONS, "batch_size": BATCH}
            return EmbeddedSystem(
                directory, settings=settings, shards=frozenset(shards), watch=watch
            )

        self.stock = worker({STOCK})
        self.others = worker(set(range(PARTITIONS)) - {STOCK})

    def run(self) -> None:
        """Run both workers until neither has work."""
        before = None
        while before != (before := len(self.stock.records())):
            self.others.run()
            self.stock.run()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as stack:
        pair = Workers(tmp_path)
        stack.enter_context(pair.stock)
        stack.enter_context(pair.others)
        pair.stock.load({"PEN": 1000})
        pair.run()
        yield pair


def waits(system: EmbeddedSystem) -> dict[str, int]:
    """The waiting records of the log, by topic."""
    with reading(system.settings.database) as db:
        found = waiting(db)
        assert all_handled(db) == (not found)
        return dict(found)


def test_a_saga_in_flight_does_not_wait_behind_new_orders(workers: Workers) -> None:
    """Its next step is handled before ten older orders."""
    (crosses,) = ids("crosses", 1, beside_stock=False)
    new = ids("new", 10, beside_stock=True)
    encode = msgspec.json.encode
    for order_id in new:
        record = workers.stock.log.outgoing("order-events", order_id, encode(an_order(order_id)))
        workers.stock.append(record)
    workers.others.put(an_order(crosses))
    assert waits(workers.stock) == {"order-events": 10, "stock-events": 1}

    workers.run()

    reserved = [r["orderId"] for r in workers.stock.records() if r["status"] == "STOCK_RESERVED"]
    assert reserved[0] == crosses
    assert {workers.stock.status(order_id) for order_id in (crosses, *new)} == {"COMPLETED"}
    assert waits(workers.stock) == {}
    assert workers.stock.violations() == []


def test_new_orders_begin_despite_many_forwarded_records(workers: Workers) -> None:
    """A part of each batch is reserved for them."""
    workers.others.put(*[an_order(i) for i in ids("crosses", 5 * BATCH, beside_stock=False)])
    (new,) = ids("new", 1, beside_stock=True)

    workers.stock.put(an_order(new))

    reserved = [r["orderId"] for r in workers.stock.records() if r["status"] == "STOCK_RESERVED"]
    assert len(reserved) == 5 * BATCH + 1
    assert reserved.index(new) < BATCH


def test_forwarded_records_are_read_by_a_new_owner(workers: Workers) -> None:
    """One worker for all shards follows two with some each; nothing is read twice."""
    crossing = ids("crosses", 3, beside_stock=False)
    workers.others.put(*[an_order(order_id) for order_id in crossing])
    workers.others.crash()
    workers.stock.crash()
    directory = Path(workers.stock.settings.database.removeprefix("sqlite:///")).parent

    with EmbeddedSystem(directory, settings={"partitions": PARTITIONS}) as alone:
        statuses = {alone.status(order_id) for order_id in crossing}
        alone.restart()

        assert statuses == {"COMPLETED"}
        assert waits(alone) == {}
        assert [alone.statuses_of(i).count("STOCK_RESERVED") for i in crossing] == [1, 1, 1]
        assert alone.violations() == []


def test_a_new_owner_skips_records_that_one_of_two_workers_had_handled(workers: Workers) -> None:
    """More than a batch of them comes before the first unhandled record."""
    crossing = ids("crosses", 3 * BATCH, beside_stock=False)
    workers.others.put(*[an_order(order_id) for order_id in crossing])
    workers.others.crash()
    workers.stock.run()
    workers.stock.crash()
    directory = Path(workers.stock.settings.database.removeprefix("sqlite:///")).parent
    settings = {"partitions": PARTITIONS, "batch_size": BATCH}

    with EmbeddedSystem(directory, settings=settings) as alone:
        assert {alone.status(order_id) for order_id in crossing} == {"COMPLETED"}
        assert waits(alone) == {}
        assert alone.violations() == []


@pytest.mark.parametrize("seed", range(20))
def test_crashes_of_either_worker_lose_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    """Crashes just before and just after commits, while orders move between the workers."""
    rng = random.Random(seed)
    deaths, safe = 0, True

    def watch(point: str) -> None:
        nonlocal deaths
        if not safe and deaths < 15 and rng.random() < 0.3:
            deaths += 1
            raise Crash

    with ExitStack() as stack:
        workers = Workers(tmp_path, watch)
        both = (workers.stock, workers.others)
        for system in both:
            stack.enter_context(system)
        workers.stock.load({"PEN": 60})
        workers.run()
        safe = False

        def turn(system: EmbeddedSystem) -> None:
            try:
                system.run() if system.running else system.start()
            except Crash:
                system.crash()

        orders = [*ids("a", 20, beside_stock=True), *ids("b", 20, beside_stock=False)]
        rng.shuffle(orders)
        log = workers.stock.log
        for order_id in orders:
            encoded = msgspec.json.encode(an_order(order_id))
            log.append(log.outgoing("order-events", order_id, encoded))
            if rng.random() < 0.3:
                turn(rng.choice(both))
        before = None
        while before != (before := (deaths, len(workers.stock.records()))):
            for system in both:
                turn(system)

        assert deaths >= 5
        assert waits(workers.stock) == {}
        statuses = [workers.stock.status(order_id) for order_id in orders]
        assert (statuses.count("COMPLETED"), statuses.count("CANCELLED")) == (30, 10)
        assert workers.stock.violations() == []
