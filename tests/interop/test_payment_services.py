"""The payment services of `examples/node` and `examples/go`, in place of ours."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_sagas.actors.messages import OrderLine
from tests.interop.payment_services import GO, NODE, PaymentService, acts
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import KafkaSystem, fresh_topics, orders
from tests.support.required import skip_or_fail
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.node,
    pytest.mark.go,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.slow,
]

DEAR = (OrderLine(sku="PEN", quantity=1000, unit_price=150),)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """The ledger that the services share."""
    return tmp_path / "payments.jsonl"


@pytest.fixture
def services(
    own_kafka: KafkaBroker, tmp_path: Path, ledger: Path
) -> Iterator[tuple[PaymentService, PaymentService]]:
    """Two services, not started: of two languages, or twice of the only one installed here."""
    for runtime in (NODE, GO):
        if not runtime.is_here and (
            os.environ.get(runtime.required) == "1" or not (NODE.is_here or GO.is_here)
        ):
            skip_or_fail(runtime.required, runtime.missing)
    servers = own_kafka.bootstrap_servers
    languages = [runtime for runtime in (NODE, GO) if runtime.is_here]
    here = [PaymentService(runtime, tmp_path, servers, ledger) for runtime in languages]
    fresh_topics(servers)
    yield here[0], here[-1]
    for service in here:
        service.kill()


def test_payment_services_of_other_languages_replace_ours(
    services: tuple[PaymentService, PaymentService],
    own_kafka: KafkaBroker,
    ledger: Path,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    """One is killed, and the other one continues with its ledger and its consumer group."""
    first, second = services
    system = KafkaSystem(tmp_path, own_kafka.bootstrap_servers, postgres_url)
    try:
        system.start("--roles", "orchestrator,orders,stock,notification")
        first.start()
        system.load(150)
        system.put("order-events", *orders(200), *orders(20, "dear", lines=DEAR))
        wait_until(lambda: len(acts(ledger)) > 60, "payments to be made")
        first.kill()
        second.start()
        system.put("order-events", *orders(100, "late"))
        wait_until(lambda: len(acts(ledger)) > 260, "payments to be made")
        second.kill()
        second.start()
        system.wait_for_ends(320)
        statuses = system.statuses()
        letters, violations = system.read("dead-letters"), system.violations()
    finally:
        system.close()

    made = Counter(acts(ledger))
    assert {1} == {*made.values()}
    assert {"COMPLETED": 150, "CANCELLED": 170} == statuses
    assert {"PAYMENT_COMPLETED": 300, "PAYMENT_FAILED": 20, "PAYMENT_ROLLED_BACK": 150} == (
        Counter(status for _, status in made)
    )
    assert [] == letters
    assert [] == violations
