"""Everything is killed repeatedly, and the invariants hold at the end."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from tests.support.cli import Started
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import KafkaSystem, fresh_topics, orders
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("kafka system"),
]

ORDERS, WORKERS, KILLS = 5_000, 3, 21
SEED = "ORDER_SAGAS_TEST_SEED"
PORTION = ORDERS // KILLS + 1


class Chaos:
    """Three workers, with the faults they are given."""

    def __init__(self, system: KafkaSystem, rng: random.Random) -> None:
        self.system, self.rng = system, rng
        self.workers = [system.begin() for _ in range(WORKERS)]
        self.frozen: Started | None = None
        self.killed = 0
        self._pause = threading.Event()

    def wait(self, least: float, most: float) -> None:
        """Let the workers run for a while."""
        self._pause.wait(self.rng.uniform(least, most))

    def kill_one(self) -> None:
        """Kill a worker, and start another in its place."""
        place = self.rng.randrange(WORKERS)
        if self.workers[place] is self.frozen:
            self.frozen = None
        self.workers[place].process.kill()
        self.workers[place].process.wait()
        self.killed += 1
        self.workers[place] = self.system.begin()

    def freeze_one(self) -> None:
        self.frozen = self.rng.choice(self.workers)
        self.frozen.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.frozen:
            self.frozen.process.send_signal(signal.SIGCONT)

    def all_run(self) -> bool:
        """Whether all workers have reported that they run."""
        self.restart_dead()
        return all("is running" in worker.printed for worker in self.workers)

    def restart_dead(self) -> None:
        """Restart workers that ended because the broker was down at their start."""
        for place, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                self.workers[place] = self.system.begin()


@pytest.mark.timeout(290)
def test_every_order_ends_despite_killed_and_frozen_processes(
    broker: KafkaBroker, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    """Workers are killed, one is frozen past its session, broker and database are restarted."""
    seed = int(os.environ.get(SEED) or random.randrange(10**6))
    print(f"{SEED}={seed}")
    rng = random.Random(seed)
    fresh_topics(broker.bootstrap_servers)
    system = KafkaSystem(
        tmp_path,
        broker.bootstrap_servers,
        own_postgres.url(),
        session_timeout="2s",
        payment_decline_rate=0.1,
        payment_silent_rate=0.01,
        deadline_scale=0.5,
    )
    system.make_tables()
    system.load()
    placed = orders(ORDERS)
    chaos = Chaos(system, rng)
    happenings = {5: chaos.freeze_one, 8: chaos.thaw, 11: broker.restart, 15: own_postgres.restart}
    try:
        for turn in range(KILLS):
            system.put("order-events", *placed[turn * PORTION : (turn + 1) * PORTION])
            chaos.wait(0.5, 1.5)
            chaos.kill_one()
            happenings.get(turn, lambda: None)()
            chaos.restart_dead()
        wait_until(chaos.all_run, "all to run")
        system.wait_for_ends(ORDERS, 180)
        codes = [worker.stop() for worker in chaos.workers]
    finally:
        system.close()

    assert KILLS == chaos.killed
    assert [] == system.violations()
    assert ORDERS == system.number("SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL")
    assert [0] * WORKERS == codes
    assert 0 == system.number("SELECT count(*) FROM outbox")
