"""External calls of a running system, on real threads."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from thespian.actors import ActorSystem

from order_sagas.actors.entities import Notification
from order_sagas.actors.messages import LoadStock, Message, OrderLine
from order_sagas.actors.services.payment_gateway import Approved, Charge, Refund
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.bridges.processor.thread_pools import ThreadPools
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.running_system import RunningSystem
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings
from tests.support.calls import HangingChannel
from tests.support.cli import number
from tests.support.embedded import an_order, violations
from tests.support.waiting import wait_until

ORDERS = 50
CAPACITY = 10
THREADS = 2


class Provider:
    """A payment provider that is called after the commit, and approves every request."""

    local = False

    def charge(self, charge: Charge) -> Approved:
        return Approved(f"ch_{charge.key}")

    def refund(self, refund: Refund) -> Approved:
        return Approved(refund.charge_id)


class MailServer:
    """A mail channel that counts its mails."""

    name = "mail"
    local = False

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def send(self, notification: Notification, now: float) -> None:
        self.sent[notification.order_id] += 1


class Shop:
    """Starts systems on one database, and appends records to its log."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings(database=f"sqlite:///{directory / 'orders.db'}", partitions=4)
        self.log = EmbeddedLog(self.settings.database, self.settings.partitions)
        self.running: RunningSystem | None = None

    def start(self, channel: Any) -> RunningSystem:
        """Start a system that notifies customers through this channel."""
        parts = Parts(
            settings=self.settings,
            clients={"payments": Provider(), "notifications": channel},
            call_runner=partial(ThreadPools, threads=THREADS),
            call_capacity=CAPACITY,
        )
        self.running = start(parts, ActorSystem(EventLoopBase(parts.clock), transientUnique=True))
        return self.running

    def put(self, topic: str, *messages: Message) -> None:
        """Append messages to a topic, and ring the doorbell."""
        encode = msgspec.json.encode
        self.log.append(*(self.log.outgoing(topic, m.order_id, encode(m)) for m in messages))
        assert self.running
        self.running.tell_processor(RecordsWaiting())

    def wait_for(self, count: int, sql: str) -> None:
        """Wait until a query returns this count."""
        env = {"ORDER_SAGAS_DATABASE": self.settings.database}
        wait_until(lambda: number(sql, env) == count, f"{count}: {sql}")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose last system is stopped after the test."""
    shop = Shop(tmp_path)
    yield shop
    if shop.running:
        shop.running.stop()
    shop.log.close()


COMPLETED = "SELECT count(*) FROM sagas WHERE status = 'COMPLETED'"
PENDING = "SELECT count(*) FROM notifications WHERE status = 'PENDING'"
SENT = "SELECT count(*) FROM notifications WHERE status = 'SENT'"


def under_way(system: RunningSystem) -> dict[str, int]:
    """The number of calls under way, by service."""
    report = system.report()
    return report.calls if report else {}


def test_a_hanging_mail_server_delays_no_charge_and_no_stop(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mails wait in the database, and the next start sends them."""
    monkeypatch.setattr("order_sagas.bridges.processor.shutdown.DRAIN_SECONDS", 0.1)
    hanging = HangingChannel()
    try:
        system = shop.start(hanging)
        goods = (OrderLine(sku="PEN", quantity=10 * ORDERS),)
        shop.put("stock-events", LoadStock(order_id="delivery", lines=goods))
        shop.put("order-events", *[an_order(f"o-{n}") for n in range(ORDERS)])
        shop.wait_for(ORDERS, COMPLETED)
        shop.wait_for(ORDERS, PENDING)
        wait_until(lambda: under_way(system) == {"notifications": CAPACITY}, "charges to be over")

        assert system.stop()
    finally:
        hanging.let_go.set()

    mails = MailServer()
    shop.start(mails)
    shop.wait_for(ORDERS, SENT)

    assert {f"o-{n}": 1 for n in range(ORDERS)} == mails.sent
    assert [] == violations(shop.settings.database)
