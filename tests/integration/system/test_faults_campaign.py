"""Faults of network, servers, disks and processes while orders come in: every order ends once."""

import json
import logging
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.errors import KafkaClientError
from tests.support.fault_proxy import TO_CLIENT
from tests.support.faulty_system import FaultySystem, Site, faulty_system
from tests.support.kafka_fixtures import need_kafka
from tests.support.kafka_system import KafkaSystem, orders
from tests.support.postgres_fixtures import need_postgres
from tests.support.provider_ledger import movements
from tests.support.topic_checker import Moved, problems, read_topics
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("own servers"),
]

ORDERS, PORTION = 5_000, 40
LOADED = ORDERS * 4 // 5
"""Number of pens: some paid orders find no stock."""
SEED = "ORDER_SAGAS_TEST_SEED"
PAUSE = 0.7
"""Seconds between two portions, so that orders are submitted during the faults."""


class Shop(threading.Thread):
    """Writes orders to their topic, each until it is acknowledged."""

    def __init__(self, system: KafkaSystem) -> None:
        super().__init__(name="shop", daemon=True)
        self.system = system
        self.acknowledged: set[str] = set()
        self._due = threading.Semaphore(0)

    def send(self, portions: int) -> None:
        """Write more portions."""
        self._due.release(portions)

    def run(self) -> None:
        placed = orders(ORDERS)
        pause = threading.Event()
        for first in range(0, ORDERS, PORTION):
            self._due.acquire()
            portion = placed[first : first + PORTION]
            while not self._is_sent(portion):
                pass
            self.acknowledged.update(order.order_id for order in portion)
            pause.wait(PAUSE)

    def _is_sent(self, portion: Sequence[OrderCreated]) -> bool:
        try:
            self.system.put("order-events", *portion)
        except (KafkaClientError, TimeoutError):
            return False
        return True


class Campaign:
    """The faults. Each is a context: the test submits orders while it lasts."""

    def __init__(self, faulty: FaultySystem, rng: random.Random) -> None:
        self.faulty, self.rng = faulty, rng
        self.sites = faulty.sites

    def plan(self) -> list[tuple[str, Callable[[], Iterator[None]], float]]:
        """Return faults by name, in an order of the seed, with their seconds."""
        one, every = self._one, self._all
        plan: list[tuple[str, Callable[[], Iterator[None]], float]] = [
            ("slow ways to both servers", self.slow, 4),
            ("one worker's way to Kafka cut", one("kafka", "cut"), 5),
            ("one worker's way to PostgreSQL cut", one("postgres", "cut"), 5),
            ("one worker's way to PostgreSQL cut for long", self.one_without_postgres, 5),
            ("one worker's way to Kafka half-open", one("kafka", "black_hole"), 6),
            ("one worker's way to PostgreSQL half-open", one("postgres", "black_hole"), 6),
            ("no answers of Kafka to one worker", one("kafka", "black_hole", TO_CLIENT), 5),
            ("no answers of PostgreSQL to one worker", one("postgres", "black_hole", TO_CLIENT), 5),
            ("one worker's packets to Kafka lost", one("kafka", "hold"), 5),
            ("one worker's packets to PostgreSQL lost", one("postgres", "hold"), 5),
            ("one worker's connections to Kafka reset", one("kafka", "reset"), 1),
            ("one worker's connections to PostgreSQL reset", one("postgres", "reset"), 1),
            ("all ways to Kafka cut", every("kafka", "cut"), 4),
            ("all ways to PostgreSQL cut", every("postgres", "cut"), 4),
            ("PostgreSQL crashes", self.postgres_crashes, 1),
            ("PostgreSQL is read-only", self.postgres_is_read_only, 4),
            ("the broker is killed", self.broker_is_killed, 1),
            ("a worker is killed", self.worker_is_killed, 0),
        ]
        if self.faulty.disks:
            plan += [
                ("the disk of PostgreSQL is full", self.postgres_disk_is_full, 4),
                ("the disk of Kafka is full", self.kafka_disk_is_full, 4),
            ]
        else:
            print("No disk is filled: file systems cannot be mounted here.")
        self.rng.shuffle(plan)
        return plan

    def _one(self, server: str, fault: str, *how: object) -> Callable[[], Iterator[None]]:
        return lambda: self._at([self.rng.choice(self.sites)], server, fault, *how)

    def _all(self, server: str, fault: str) -> Callable[[], Iterator[None]]:
        return lambda: self._at(self.sites, server, fault)

    def _at(self, sites: Sequence[Site], server: str, fault: str, *how: object) -> Iterator[None]:
        print(f"    at {', '.join(str(site.number) for site in sites)}", flush=True)
        ways = [getattr(site, server) for site in sites]
        for way in ways:
            getattr(way, fault)(*how)
        yield
        for way in ways:
            way.heal()

    def one_without_postgres(self) -> Iterator[None]:
        """Its shards move to the others, which can commit."""
        wait_until(self.faulty.keep_running, "all to run")
        site = self.rng.choice(self.sites)
        others = [each for each in self.sites if each is not site]
        before = lines(others, "kafka.shards_assigned")
        site.postgres.cut()
        yield
        wait_until(lambda: lines([site], "kafka.group_left"), "the worker to leave its group")
        wait_until(lambda: lines(others, "kafka.shards_assigned") > before, "others to take over")
        site.postgres.heal()

    def slow(self) -> Iterator[None]:
        for site in self.sites:
            site.kafka.slow(latency=0.02, jitter=0.03, bandwidth=2e6)
            site.postgres.slow(latency=0.005, jitter=0.01)
        yield
        for site in self.sites:
            site.kafka.heal()
            site.postgres.heal()

    def postgres_crashes(self) -> Iterator[None]:
        self.faulty.postgres.kill()
        yield
        self.faulty.postgres.start()

    def postgres_is_read_only(self) -> Iterator[None]:
        self.faulty.set_read_only(True)
        yield
        self.faulty.set_read_only(False)

    def broker_is_killed(self) -> Iterator[None]:
        self.faulty.broker.kill()
        yield
        self.faulty.broker.start()

    def worker_is_killed(self) -> Iterator[None]:
        self.faulty.kill(self.rng.choice(self.sites))
        yield

    def postgres_disk_is_full(self) -> Iterator[None]:
        self.faulty.disks["postgres"].fill()
        yield
        self.faulty.disks["postgres"].free()
        self.faulty.postgres.start()  # it has ended, if its own log found no space

    def kafka_disk_is_full(self) -> Iterator[None]:
        """A broker gives up a directory that it cannot write, until it is started again."""
        self.faulty.disks["kafka"].fill()
        yield
        self.faulty.disks["kafka"].free()
        self.faulty.broker.kill()
        self.faulty.broker.start()


def lines(sites: Sequence[Site], event: str) -> int:
    """Return the number of lines with this event that the workers of these sites have printed."""
    return sum(site.worker.printed.count(event) for site in sites if site.worker)


@contextmanager
def stopped(faulty: FaultySystem) -> Iterator[list[int]]:
    """Stop all workers in good order, and yield their exit codes."""
    workers = [site.worker for site in faulty.sites if site.worker]
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    yield [worker.process.wait(60) for worker in workers]


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """A directory outside of pytest's own, to which other runs of pytest deny PostgreSQL access."""
    with tempfile.TemporaryDirectory(prefix="order-sagas-faults-") as name:
        yield Path(name)


@pytest.mark.timeout(400)
def test_every_order_ends_once_under_every_fault(
    server_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Three workers, each with its own proxies to Kafka and PostgreSQL; one fault after another."""
    need_kafka()
    need_postgres()
    caplog.set_level(logging.CRITICAL, "kafka")  # the shop's client logs each lost connection
    seed = int(os.environ.get(SEED) or random.randrange(10**6))
    print(f"{SEED}={seed}")
    rng = random.Random(seed)
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", flush=True)

    with faulty_system(server_directory, seed, deadline_scale=0.5) as faulty:
        system, campaign, shop = faulty.system, Campaign(faulty, rng), Shop(faulty.system)
        system.load(LOADED)
        for site in faulty.sites:
            faulty.start(site)
        wait_until(faulty.keep_running, "all to run")
        shop.start()
        nothing = threading.Event()
        plan = campaign.plan()
        for name, fault, seconds in plan:
            tell(name)
            shop.send(ORDERS // PORTION // len(plan))
            with contextmanager(fault)():
                nothing.wait(seconds)
            for _ in range(10):
                faulty.keep_running()
                nothing.wait(0.1)
        tell("no more faults")
        shop.send(ORDERS // PORTION)
        wait_until(lambda: faulty.keep_running() and not shop.is_alive(), "the shop to be done")
        tell("all orders are there")
        wait_until(
            lambda: faulty.keep_running() and system.ended() >= ORDERS, "the sagas to end", 180
        )
        system.wait_for_ends(ORDERS)
        tell("all orders have ended")
        with stopped(faulty) as codes:
            audit = system.run("audit", "--ended", "--json")
            records = read_topics(system.connection.bootstrap_servers)
            on_hand = dict(system.rows("SELECT sku, on_hand FROM stock WHERE warehouse = 'main'"))
        ledger = [Moved(*movement) for movement in movements(faulty.ledger)]
        tell("checked")

    assert not faulty.ended, "\n\n".join(faulty.ended)
    assert 0 == audit.returncode, json.loads(audit.stdout)
    assert [] == problems(records, shop.acknowledged, ledger, on_hand)
    assert ORDERS == len(shop.acknowledged)
    assert [0, 0, 0] == codes
