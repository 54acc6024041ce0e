"""A Kafka with ACLs: those of docs/kafka.md are what the system needs, and no more."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
)

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.kafka.errors import KafkaRefusedError
from order_sagas.bridges.records.record import Outgoing
from tests.support.cli import order_sagas
from tests.support.kafka_acls import run_acl_lines
from tests.support.kafka_broker import QUICK_START, KafkaBroker
from tests.support.kafka_config import User
from tests.support.kafka_fixtures import need_kafka
from tests.support.kafka_system import KafkaSystem, fresh_topics, orders
from tests.support.markdown import ROOT, blocks
from tests.support.pasted import commands
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.processes, pytest.mark.slow]

WORKERS, SHOP, PAYMENTS = (User(name, f"{name}-secret") for name in ("workers", "shop", "payments"))
GROUP = "order-sagas"
LINES = [{"sku": "PEN", "quantity": 1, "unitPrice": 150}]
AN_ORDER = {"orderId": "s-1", "customerId": "c-1", "currency": "EUR", "lines": LINES}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A broker with the ACLs of the page."""
    need_kafka()
    broker = KafkaBroker(
        tmp_path / "kafka", jvm_options=QUICK_START, principals=(WORKERS, SHOP, PAYMENTS)
    )
    broker.start()
    fresh_topics(broker.bootstrap_servers)
    give_rights(broker, tmp_path / "acls")
    yield broker
    broker.kill()


def give_rights(broker: KafkaBroker, directory: Path, *, of: str = "") -> None:
    """Run the page's lines with kafka-acls, or those of one principal."""
    (block,) = [each for each in blocks(ROOT / "docs" / "kafka.md") if "kafka-acls" in each.text]
    lines = [each.text.replace("kafka:9092", broker.bootstrap_servers) for each in commands(block)]
    chosen = [line for line in lines if "User:" not in line or f"User:{of}" in line]
    output = run_acl_lines(chosen, directory)
    assert "Adding ACLs for resource" in output


def login(broker: KafkaBroker, user: User) -> KafkaConnection:
    """A connection of a principal."""
    return KafkaConnection(
        bootstrap_servers=broker.secure_bootstrap_servers,
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        username=user.name,
        password=user.password,
        ssl_ca=broker.certificate,
    )


def settings_of(broker: KafkaBroker, user: User) -> dict[str, object]:
    """The settings for a login."""
    return {
        "kafka": broker.secure_bootstrap_servers,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_ssl_cafile": broker.certificate,
        "kafka_username": user.name,
        "kafka_password": user.password,
    }


def write(connection: KafkaConnection, topic: str) -> None:
    """Write a record, as this principal."""
    writer = TopicWriter(connection)
    try:
        writer.start()
        writer.publish([Outgoing(topic, 0, b"o-1", b"{}")]).wait(20)
    finally:
        writer.close()


def take_rights(broker: KafkaBroker, topic: str) -> None:
    """Remove all rights of the workers on a topic."""
    admin = KafkaAdminClient(**KafkaConnection(bootstrap_servers=broker.bootstrap_servers)
                             .client_settings())  # fmt: skip
    pattern = ResourcePatternFilter(ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
    every = ACLFilter(f"User:{WORKERS.name}", "*", ACLOperation.ANY, ACLPermissionType.ANY, pattern)
    admin.delete_acls([every])
    admin.close()


def test_the_documented_rights_are_sufficient_and_necessary(
    guarded: KafkaBroker, tmp_path: Path
) -> None:
    """Workers and shop run with them; a payment service writes to no other topic; a right that
    running workers lose is logged by name, and they continue when it is back.
    """
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    system = KafkaSystem(
        tmp_path, guarded.bootstrap_servers, database, **settings_of(guarded, WORKERS)
    )
    pens = tmp_path / "pens.csv"
    pens.write_text("sku,quantity,warehouse\nPEN,100,main\n")
    shop = {**system.env}
    for name, value in settings_of(guarded, SHOP).items():
        shop[f"ORDER_SAGAS_{name.upper()}"] = str(value)
    try:
        system.start()
        loaded = order_sagas("stock", "load", pens, env=shop)
        placed = order_sagas(
            "submit", "-", "--format", "jsonl", env=shop, stdin=json.dumps(AN_ORDER)
        )
        status = order_sagas("status", "--json", env=shop)
        system.wait_for_ends(1)

        for topic in ("operator-commands", "order-events", "saga-signals"):
            with pytest.raises(KafkaRefusedError):
                write(login(guarded, PAYMENTS), topic)
        write(login(guarded, PAYMENTS), "payment-events")

        take_rights(guarded, "payment-events")
        wait_until(
            lambda: any("payment-events" in each["reason"] for each in refused(system)),
            "the loss to be told",
        )
        system.put("order-events", *orders(10))
        give_rights(guarded, tmp_path / "again", of=WORKERS.name)
        system.wait_for_ends(11)
        statuses = system.statuses()
    finally:
        system.close()

    assert (0, 0, 0) == (loaded.returncode, placed.returncode, status.returncode), placed.stderr
    assert {"COMPLETED": 11} == statuses
    assert [] == system.violations()
    letters = system.read("dead-letters")
    assert [b"{}"] == [letter.value for letter in letters]  # what the payment service wrote


def refused(system: KafkaSystem) -> list[dict[str, str]]:
    """The log lines of workers that Kafka does not permit to read."""
    return system.log("kafka.disconnected")
