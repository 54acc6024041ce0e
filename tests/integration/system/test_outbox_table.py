"""Records that change data capture publishes, from the write-ahead log of PostgreSQL."""

import json
import signal

import pytest

from order_sagas.system.order_app import APP
from tests.integration.system.conftest import MakeSystem
from tests.support.capture import Capture
from tests.support.kafka_system import orders
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

LINES = [{"sku": "PEN", "quantity": 1, "unitPrice": 150}]
BY_COMMAND = [
    json.dumps({"orderId": f"s-{n}", "customerId": "c-1", "currency": "EUR", "lines": LINES})
    for n in range(20)
]


def test_a_system_runs_on_records_that_change_data_capture_publishes(
    make_system: MakeSystem, own_postgres: PostgresServer
) -> None:
    """Orders of a shop and of our command; a worker is killed, the capture stops for a while."""
    with (own_postgres.home / "postgresql.conf").open("a") as settings:
        settings.write("wal_level = logical\n")
    own_postgres.restart()
    system = make_system(own_postgres.url(), publish="outbox-table", trace_headers="true")
    system.make_tables()
    topics = tuple(topic for topic in APP.topics if topic != "dead-letters")
    capture = Capture(own_postgres.url(), system.connection.bootstrap_servers, topics)
    try:
        first = system.start()
        system.put("order-events", *orders(80), headers=(("traceparent", TRACED),))
        system.load(60)
        done = system.run("submit", "-", "--format", "jsonl", stdin="\n".join(BY_COMMAND))
        assert 0 == done.returncode, done.stderr
        wait_until(lambda: system.number(PAYMENTS) == 80, "commands to be left in the table")
        assert [] == system.read("payment-events")
        first.stop(signal.SIGKILL)
        capture.start()
        system.start()
        system.wait_for_ends(100)
    finally:
        capture.stop()

    assert capture.failure is None
    assert {"COMPLETED": 60, "CANCELLED": 40} == system.statuses()
    assert [] == system.violations()
    assert [] == system.read("dead-letters")
    assert 0 == system.number("SELECT count(*) FROM outbox")
    published = [row for row in capture.published if row["type"] == "PROCESS_PAYMENT"]
    assert 100 == len({row["id"] for row in published})
    traced = [row for row in published if row["traceparent"] == TRACED.decode()]
    assert 80 == len({row["aggregateid"] for row in traced})


TRACED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PAYMENTS = "SELECT count(DISTINCT id) FROM outbox_events WHERE type = 'PROCESS_PAYMENT'"
