"""A demonstration that keeps running: HTTP, slow live traffic, and three problems to resolve."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import attrs
from msgspec.structs import replace

from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.actors.participants import NOTIFICATIONS, PAYMENTS
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.intake.intake import Intake
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.operations import PauseOperations
from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.system.demo import orders
from order_sagas.system.demo.live_app import STUCK
from order_sagas.system.demo.run import demo_settings
from order_sagas.system.settings import Settings
from order_sagas.system.stop_requests import StopRequests
from order_sagas.system.supervision.supervised_run import Outcome, run_supervised

WORKERS = 1
EVERY = 1.0
"""Seconds between two orders."""
BY = "demo"
UNREADABLE = b'{"orderId": "DEMO-00001", "status": "PAYMENT_COMPLETED", "amount": "a lot"}'
"""A reply of a payment service whose amount is no number; it becomes a dead letter."""
PAUSED = NOTIFICATIONS.name
"""The service that is paused: mails are kept, and sagas go on."""


def live_settings(directory: Path, seed: int, http: str) -> Settings:
    """Return the settings of a demonstration in the same directory, with HTTP at an address."""
    return attrs.evolve(
        demo_settings(directory, seed),
        app="order_sagas.system.demo.live_app:APP",
        http=http,
        workers=WORKERS,
    )


def run_live(
    settings: Settings, started: Callable[[], None], problem: Callable[[str], None]
) -> Outcome:
    """Run until a signal or `order-sagas stop`, with an order each second.

    `started` is called when the system runs and the problems exist; `problem` if no more orders
    can be submitted, with the reason.
    """
    ended = threading.Event()
    with DatabaseLock(settings.database), StopRequests() as stops:
        traffic = threading.Thread(
            target=_traffic, args=(settings, ended, problem), name="traffic", daemon=True
        )

        def begin() -> None:
            make_troubles(settings)
            traffic.start()
            started()

        try:
            return run_supervised(settings, WORKERS, stops, begin, lambda _: ended.set())
        finally:
            ended.set()
            if traffic.ident:
                traffic.join()


def make_troubles(settings: Settings) -> None:
    """Submit an order that gets stuck and an unreadable record, and pause a service."""
    stuck = OrderCreated(
        order_id=STUCK,
        customer_id="C-0042",
        currency="EUR",
        lines=(OrderLine(sku=orders.DISCONTINUED, quantity=1, unit_price=8900),),
    )
    with EmbeddedLog(settings.database, settings.partitions) as log:
        Intake(log).take([stuck])
        log.append(log.outgoing(PAYMENTS.topic, "DEMO-00001", UNREADABLE))
        PauseOperations(log, [PAUSED]).pause(PAUSED, BY, "the mail server is being replaced")


def live_orders(seed: int) -> Iterator[OrderCreated]:
    """Yield orders with ids of their own, without end."""
    for number, order in zip(count(1), orders.orders(10**9, seed + 1)):
        yield replace(order, order_id=f"LIVE-{number:05}")


def _traffic(settings: Settings, ended: threading.Event, problem: Callable[[str], None]) -> None:
    try:
        with EmbeddedLog(settings.database, settings.partitions) as log:
            intake = Intake(log)
            for order in live_orders(settings.seed):
                if ended.wait(EVERY):
                    return
                intake.take([order])
    except (BridgeError, OSError) as error:
        problem(str(error))
