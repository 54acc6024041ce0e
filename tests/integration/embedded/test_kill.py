"""Killed at any moment, the system loses nothing and does nothing twice."""

import multiprocessing
import random
import signal
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from order_sagas.actors.messages import LoadStock, Message, OrderCreated, OrderLine
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.storage.connection import connect
from tests.support.embedded import violations
from tests.support.killed import run_until_idle, unlucky

KILLS = 60
"""Half of them at random times, half just before or just after a commit."""
ORDERS_A_LIFE = 12
SKUS = 6

# Its children are forked from a server with all imports done, so they start in milliseconds.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.support.killed"])


class Shop:
    """Appends orders to the log, and reads how they ended."""

    def __init__(self, directory: Path, rng: random.Random) -> None:
        self.database = f"sqlite:///{directory / 'orders.db'}"
        self.rng = rng
        self.placed = 0
        self._log = EmbeddedLog(self.database, unlucky(self.database).partitions)

    def bring(self, quantity: int) -> None:
        """Add too little stock for all orders."""
        lines = tuple(OrderLine(sku=f"S{i}", quantity=quantity) for i in range(SKUS))
        self._append("stock-events", LoadStock(order_id="delivery", lines=lines))

    def place(self, count: int) -> None:
        """Append more orders, each for two SKUs."""
        for _ in range(count):
            lines = tuple(
                OrderLine(sku=f"S{sku}", quantity=self.rng.randint(1, 3), unit_price=100)
                for sku in self.rng.sample(range(SKUS), 2)
            )
            order_id = f"order-{self.placed}"
            self._append(
                "order-events", OrderCreated(order_id=order_id, customer_id="c", lines=lines)
            )
            self.placed += 1

    def _append(self, topic: str, message: Message) -> None:
        value = msgspec.json.encode(message)
        self._log.append(self._log.outgoing(topic, message.order_id, value))

    def ends(self) -> Counter[tuple[str, str]]:
        """The number of sagas by status and code."""
        db = connect(self.database)
        rows = db.rows("SELECT status, code, count(*) FROM sagas GROUP BY 1, 2", ())
        found: Counter[tuple[str, str]] = Counter({(s, code): n for s, code, n in rows})
        db.close()
        return found

    def close(self) -> None:
        self._log.close()


def live(shop: Shop, seconds: float = 0.0, point: str = "", count: int = 0) -> int | None:
    """Run the process until it is killed after some seconds or at a point, or ends by itself."""
    process = processes.Process(target=run_until_idle, args=(shop.database, point, count))
    process.start()
    process.join(seconds or 30)
    alive = process.is_alive()
    process.kill()
    process.join(30)
    code = process.exitcode
    process.close()
    assert seconds or not alive, "it should have come to its end within thirty seconds"
    return code


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.timeout(180)
def test_sixty_kills_lose_nothing_and_do_nothing_twice(tmp_path) -> None:
    """The invariants hold after each kill; at the end, all sagas have ended."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    shop = Shop(tmp_path, rng)
    shop.bring(KILLS * ORDERS_A_LIFE * 2 * 2 // SKUS * 8 // 10)
    killed: Counter[str] = Counter()
    while killed.total() < KILLS:
        shop.place(ORDERS_A_LIFE)
        if killed.total() % 2:
            point, count = rng.choice(("before commit", "after commit")), rng.randint(1, 6)
            code = live(shop, point=point, count=count)
        else:
            point = "anywhere"
            code = live(shop, rng.uniform(0.01, 0.15))
        if code == -signal.SIGKILL:
            killed[point] += 1
        else:
            assert 0 == code
        assert [] == violations(shop.database, ended=False)

    assert 0 == live(shop)

    print(dict(killed), dict(shop.ends()))
    assert [] == violations(shop.database, ended=True)
    assert shop.placed == shop.ends().total()
    assert {"", "card_declined", "out_of_stock"} <= {code for _, code in shop.ends()}
    shop.close()
