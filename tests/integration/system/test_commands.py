"""What a user types, against Kafka: on PostgreSQL, and with an SQLite database of the worker's."""

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
    """Goods, orders, what became of them, and the books: as on the embedded log."""
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
    assert 2 == json.loads(waited.stdout)["already_there"]
    assert {"A-1": "COMPLETED", "A-2": "CANCELLED"} == {
        order["order_id"]: order["status"] for order in either.said("orders")
    }
    assert "COMPLETED" == either.said("show", "A-1")["sagas"][0]["status"]
    assert "COMPLETED" in either.run("trace", "A-1").stdout.upper()
    assert (8, 2) == tuple(either.said("stock", "show")[0][each] for each in ("on_hand", "sold"))
    assert (0, True) == (audit.returncode, json.loads(audit.stdout)["ok"])
    assert 0 == worker.stop(signal.SIGTERM)
    assert 0 == either.number("SELECT count(*) FROM outbox")


def test_a_dead_letter_is_seen_discarded_and_replayed(system: KafkaSystem) -> None:
    """What nobody can read is put on its topic again once somebody can, or is done with."""
    system.run("inject", "order-events", "nonsense", "--raw")
    system.run("inject", "order-events", "more nonsense", "--raw", "--header", "a=b")
    system.start()
    first, second = letters(system, 2)
    system.run("dead-letters", "discard", first["id"], "--why", "a joke", "--by", "ann")
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
    assert ["more nonsense"] == [each["value"] for each in system.said("dead-letters", "list")]
    assert second["id"] == system.said("dead-letters", "show", second["id"])["id"]
    nowhere = {**system.env, "ORDER_SAGAS_DATABASE": "postgresql://nobody@127.0.0.1:1/nothing"}
    assert 0 == order_sagas("dead-letters", "list", env=nowhere).returncode


def letters(system: KafkaSystem, count: int, *which: str) -> list[dict[str, Any]]:
    """The dead letters, once there are so many."""

    def listed() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = system.said("dead-letters", "list", *which)
        return found if len(found) == count else None

    found = wait_until(listed, f"{count} dead letters")
    assert found
    return found


def test_an_operator_rescues_a_saga(make_system: MakeSystem, postgres_url: str) -> None:
    """Nobody runs the payment service, until a person answers in its place."""
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
    """The second time nothing happens; another number of partitions is a clear word."""
    again = system.run("topics", "create")
    other = system.run("topics", "create", "--partitions", PARTITIONS + 1)
    start = system.run("start", "--partitions", PARTITIONS + 1)

    assert len(APP.topics) == again.stdout.count("already exists")
    assert (1, 1) == (other.returncode, start.returncode)
    assert f"order-events has {PARTITIONS}" in other.stderr


def test_a_start_against_missing_topics_says_what_to_do(
    own_kafka: KafkaBroker, make_system: MakeSystem, postgres_url: str
) -> None:
    """And `topics create` makes them, kept as long as the settings say."""
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
    """In a line, and not in a traceback."""
    nowhere = make_system(f"postgresql://me@/orders?host={tmp_path}").run("start")
    alone = make_system(postgres_url, kafka="127.0.0.1:1").run("start")

    assert (1, 1) == (nowhere.returncode, alone.returncode)
    assert "PostgreSQL: connection" in nowhere.stderr
    assert "No Kafka broker answers" in alone.stderr
    assert "Traceback" not in nowhere.stderr + alone.stderr
