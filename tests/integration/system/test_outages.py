"""Kafka and the database are down for a while: sagas wait, and continue by themselves."""

import signal
import threading

import pytest

from tests.integration.system.conftest import MakeSystem
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import orders
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

WAITING = "SELECT count(*) FROM sagas WHERE step = 'process payment'"
OTHERS = "orchestrator,orders,stock,notification"
"""All roles except the one that answers payments."""
SCALE = 0.15
OUTAGE = SCALE * 30
"""Seconds in which a payment has to be answered."""


@pytest.mark.parametrize(
    ("grace", "times_out"), [("1h", False), ("100ms", True)], ids=["put off", "put off for no time"]
)
def test_no_deadline_passes_while_the_broker_is_down(
    make_system: MakeSystem, broker: KafkaBroker, postgres_url: str, grace: str, times_out: bool
) -> None:
    """An outage longer than the deadline, which is put off by it, by at most the grace."""
    system = make_system(postgres_url, deadline_scale=SCALE, outage_grace=grace)
    system.start("--roles", OTHERS)
    system.load()
    system.put("order-events", *orders(10))
    wait_until(lambda: 10 == system.number(WAITING), "payments to be asked for")
    broker.stop()
    threading.Event().wait(OUTAGE)
    broker.start()
    for order in orders(10):
        answer = {"orderId": order.order_id, "status": "PAYMENT_COMPLETED"}
        system.put("payment-events", answer)
    system.wait_for_ends(10)

    assert times_out == bool(system.log("saga.step_timed_out"))
    assert {"COMPLETED": 10} == system.statuses()
    assert [] == system.violations()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_orders_wait_while_the_database_is_down(
    make_system: MakeSystem, own_postgres: PostgresServer, how: str
) -> None:
    """Orders in flight, and orders submitted meanwhile; nothing times out."""
    system = make_system(own_postgres.url(), deadline_scale=0.1)
    worker = system.start()
    system.load()
    system.put("order-events", *orders(500))
    wait_until(lambda: system.ended() > 20, "work to be under way")
    getattr(own_postgres, how)()
    system.put("order-events", *orders(200, "later"))
    wait_until(lambda: "waiting" in worker.printed, "the worker to notice")
    threading.Event().wait(4.0)
    own_postgres.start()
    system.wait_for_ends(700)

    assert {"COMPLETED": 700} == system.statuses()
    assert [] == system.log("saga.step_timed_out")
    assert [] == system.violations()
    assert 0 == worker.stop()


@pytest.mark.parametrize(
    ("grace", "times_out"), [("1h", False), ("100ms", True)], ids=["put off", "put off for no time"]
)
def test_no_deadline_passes_after_a_restart_while_the_database_is_down(
    make_system: MakeSystem, own_postgres: PostgresServer, grace: str, times_out: bool
) -> None:
    """The worker is killed in the outage; one that is started in it gives up, and the next waits
    no less for the payments than the first would have."""
    system = make_system(own_postgres.url(), deadline_scale=SCALE, outage_grace=grace)
    worker = system.start("--roles", OTHERS)
    system.load()
    system.put("order-events", *orders(10))
    wait_until(lambda: 10 == system.number(WAITING), "payments to be asked for")
    own_postgres.stop()
    notes = system.directory / "logs"
    wait_until(lambda: any(notes.glob("outage-*.json")), "the worker to note the outage")
    worker.stop(signal.SIGKILL)
    too_early = system.begin("--roles", OTHERS)
    assert 1 == too_early.process.wait(60)
    threading.Event().wait(OUTAGE)
    own_postgres.start()
    for order in orders(10):
        answer = {"orderId": order.order_id, "status": "PAYMENT_COMPLETED"}
        system.put("payment-events", answer)
    system.start("--roles", OTHERS)
    system.wait_for_ends(10)

    assert times_out == bool(system.log("saga.step_timed_out"))
    assert {"COMPLETED": 10} == system.statuses()
    assert [] == system.violations()
    assert [] == list(notes.glob("outage-*"))


def test_no_deadline_passes_after_a_restart_while_the_broker_is_down(
    make_system: MakeSystem, broker: KafkaBroker, postgres_url: str
) -> None:
    """The outage is stored in the database, and ends when the next worker has its shards."""
    system = make_system(postgres_url, deadline_scale=SCALE)
    worker = system.start("--roles", OTHERS)
    system.load()
    system.put("order-events", *orders(10))
    wait_until(lambda: 10 == system.number(WAITING), "payments to be asked for")
    broker.stop()
    noted = "SELECT count(*) FROM outages WHERE what = 'kafka' AND until IS NULL"
    wait_until(lambda: 1 == system.number(noted), "the worker to note the outage")
    worker.stop(signal.SIGKILL)
    threading.Event().wait(OUTAGE)
    broker.start()
    for order in orders(10):
        answer = {"orderId": order.order_id, "status": "PAYMENT_COMPLETED"}
        system.put("payment-events", answer)
    system.start("--roles", OTHERS)
    system.wait_for_ends(10)

    assert [] == system.log("saga.step_timed_out")
    assert {"COMPLETED": 10} == system.statuses()
    assert 0 == system.number(noted)
    assert [] == system.violations()
