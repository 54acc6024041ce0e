"""Commands of a user on Kafka, with PostgreSQL and with an SQLite database of the worker."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from order_sagas.system.order_app import APP
from tests.integration.system.conftest import MakeSystem
from tests.support.cli import order_sagas
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import PARTITIONS, KafkaSystem
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

TWO_ORDERS = "".join(
    json.dumps(
        {
            "orderId": f"A-{number}",
            "customerId": "C-7",
            "currency": "EUR",
            "lines": [{"sku": sku, "quantity": 2, "unitPrice": 150}],
        }
    )
    + "\n"
    for number, sku in enumerate(("PEN", "UNICORN"), start=1)
)


@pytest.fixture(params=["postgresql", "sqlite"])
def either(request: pytest.FixtureRequest, make_system: MakeSystem, tmp_path: Path) -> KafkaSystem:
    """A system on either database."""
    if request.param == "sqlite":
        return make_system(f"sqlite:///{tmp_path / 'orders.db'}")
    return make_system(request.getfixturevalue("postgres_url"))


def test_orders_are_submitted_followed_and_audited(either: KafkaSystem, tmp_path: Path) -> None:
    """Stock, orders, their results, and the audit: as on the embedded log."""
    stock = tmp_path / "stock.csv"
    stock.write_text("sku,quantity\nPEN,10\n")
    loaded = either.run("stock", "load", stock)
    early = either.run("submit", "-", "--format", "jsonl", stdin=TWO_ORDERS)
    worker = either.start()
    waited = either.run("submit", "-", "--format", "jsonl", "--wait", "--json", stdin=TWO_ORDERS)
    audit = either.run("audit", "--ended", "--json")

    assert (0, 0, 0) == (loaded.returncode, early.returncode, waited.returncode)
    assert "No worker is running" in early.stderr
    assert [("COMPLETED", "", 1), ("CANCELLED", "out_of_stock", 1)] == [
        (o["status"], o["reason"], o["orders"]) for o in json.loads(waited.stdout)["outcomes"]
    ]
    assert 2 == json.loads(waited.stdout)["alreadyThere"]
    assert {"A-1": "COMPLETED", "A-2": "CANCELLED"} == {
        order["orderId"]: order["status"] for order in either.json_of("orders")
    }
    assert "COMPLETED" == either.json_of("show", "A-1")["sagas"][0]["status"]
    assert "COMPLETED" in either.run("trace", "A-1").stdout.upper()
    assert (8, 2) == tuple(either.json_of("stock", "show")[0][each] for each in ("onHand", "sold"))
    assert (0, True) == (audit.returncode, json.loads(audit.stdout)["ok"])
    assert 0 == worker.stop(signal.SIGTERM)
    assert 0 == either.number("SELECT count(*) FROM outbox")


def test_dead_letters_are_listed_discarded_and_replayed(system: KafkaSystem) -> None:
    """An unreadable record is replayed to its topic once it can be read, or is discarded."""
    system.run("inject", "order-events", "nonsense", "--raw")
    system.run("inject", "order-events", "more nonsense", "--raw", "--header", "a=b")
    system.start()
    first, second = letters(system, 2)
    system.run("dead-letters", "discard", first["number"], "--why", "a joke", "--by", "ann")
    seen_to = ("--by", "ann", "--why", "it can be read now", "--yes")
    replayed = system.run("dead-letters", "replay", "--all", "--error", "not json", *seen_to)
    seen = letters(system, 3, "--all")

    assert ("order-events", {"a": "b"}, "more nonsense") == tuple(
        second[each] for each in ("topic", "headers", "value")
    )
    assert "1 record replayed." == replayed.stdout.strip()
    assert ["discarded by ann", "replayed by ann", " by "] == [
        f"{letter['action']} by {letter['by']}" for letter in seen
    ]
    assert ["more nonsense"] == [each["value"] for each in system.json_of("dead-letters", "list")]
    assert second["number"] == system.json_of("dead-letters", "show", second["number"])["number"]
    nowhere = {**system.env, "ORDER_SAGAS_DATABASE": "postgresql://nobody@127.0.0.1:1/nothing"}
    assert 0 == order_sagas("dead-letters", "list", env=nowhere).returncode


def letters(system: KafkaSystem, count: int, *which: str) -> list[dict[str, Any]]:
    """Wait for a number of dead letters, and return them."""

    def listed() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = system.json_of("dead-letters", "list", *which)
        return found if len(found) == count else None

    found = wait_until(listed, f"{count} dead letters")
    assert found
    return found


def test_an_operator_resolves_a_stuck_saga(make_system: MakeSystem, postgres_url: str) -> None:
    """The payment service does not run; an operator skips its step."""
    system = make_system(postgres_url, deadline_scale=0.01)
    system.start("--roles", "orchestrator,orders,stock,notification")
    system.run("submit", "-", "--format", "jsonl", stdin=TWO_ORDERS)
    stuck = "SELECT count(*) FROM sagas WHERE status = 'NEEDS_ATTENTION'"
    wait_until(lambda: 2 == system.number(stuck), "both sagas to need attention")
    step = "process payment"
    skipped = system.run("skip", "A-1", "--step", step, "--why", "paid in cash", "--by", "ann")
    system.run("inject", "payment-events", '{"orderId": "A-2", "status": "PAYMENT_ROLLED_BACK"}')
    system.wait_for_ends(2)

    assert 0 == skipped.returncode, skipped.stderr
    assert {"CANCELLED": 2} == system.statuses()


def test_topics_are_made_once_and_a_mismatch_is_refused(system: KafkaSystem) -> None:
    """The second time nothing is done; another number of partitions is an error."""
    again = system.run("topics", "create")
    other = system.run("topics", "create", "--partitions", PARTITIONS + 1)
    start = system.run("start", "--partitions", PARTITIONS + 1)

    assert len(APP.topics) == again.stdout.count("already exists")
    assert (1, 1) == (other.returncode, start.returncode)
    assert f"order-events has {PARTITIONS}" in other.stderr


def test_a_start_with_missing_topics_says_what_to_do(
    own_kafka: KafkaBroker, make_system: MakeSystem, postgres_url: str
) -> None:
    """`topics create` makes them, with the retention of the settings."""
    system = make_system(postgres_url, kafka=own_kafka.bootstrap_servers, retention_hours=24)
    started = system.run("start")
    submitted = system.run("submit", "-", "--format", "jsonl", stdin=TWO_ORDERS)
    made = system.run("topics", "create")

    assert (1, 1, 0) == (started.returncode, submitted.returncode, made.returncode)
    assert "order-sagas topics create" in started.stderr
    assert "order-sagas topics create" in submitted.stderr
    assert len(APP.topics) == made.stdout.count("created")


def test_a_start_without_its_database_or_its_broker_says_so(
    make_system: MakeSystem, tmp_path: Path, postgres_url: str
) -> None:
    """In one line, without a traceback."""
    nowhere = make_system(f"postgresql://me@/orders?host={tmp_path}").run("start")
    alone = make_system(postgres_url, kafka="127.0.0.1:1").run("start")

    assert (1, 1) == (nowhere.returncode, alone.returncode)
    assert "PostgreSQL: connection" in nowhere.stderr
    assert "No Kafka broker answers" in alone.stderr
    assert "Traceback" not in nowhere.stderr + alone.stderr
