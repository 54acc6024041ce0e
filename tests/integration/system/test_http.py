"""Orders over HTTP on Kafka and PostgreSQL, in separate processes."""

import httpx
import pytest

from tests.support.http_service import HttpProcess, an_order_body
from tests.support.kafka_system import KafkaSystem
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

ORDERS = "/api/v1/orders"


@pytest.fixture
def api(system: KafkaSystem):
    """Two HTTP processes, and a client of each."""
    with (
        HttpProcess(system.directory, system.env) as first,
        HttpProcess(system.directory, system.env) as second,
        httpx.Client(base_url=first.url, timeout=TIMEOUT) as one,
        httpx.Client(base_url=second.url, timeout=TIMEOUT) as two,
    ):
        yield one, two


def test_orders_of_either_process_are_handled_once(api, system: KafkaSystem) -> None:
    """Stored in PostgreSQL, published to Kafka, and handled once by a worker."""
    one, two = api
    key = {"Idempotency-Key": "k-1"}
    early = one.get("/health/ready").json()
    first = one.post(ORDERS, json=an_order_body(), headers=key)
    again = two.post(ORDERS, json=an_order_body(), headers=key)
    other = two.post(ORDERS, json=an_order_body(customerId="another"))
    reused = two.post(ORDERS, json=an_order_body("o-2"), headers=key)
    waiting = one.get("/metrics").text
    system.load()
    system.start()
    ended = two.get(f"{ORDERS}/o-1?wait=60", timeout=TIMEOUT * 2).json()

    assert [201, 200, 409, 422] == [r.status_code for r in (first, again, other, reused)]
    assert "COMPLETED" == ended["status"]
    assert early["ready"]
    assert not early["checks"]["workers"]["ok"]
    assert 'order_sagas_records_waiting{topic="order-events"} 1.0' in waiting.splitlines()
    wait_until(
        lambda: one.get("/health/ready").json()["checks"]["workers"]["ok"], "a worker to be seen"
    )


def test_dead_letters_in_kafka_are_listed_and_resolved(api, system: KafkaSystem) -> None:
    """They are read from their topic, and marked in it."""
    one, _ = api
    system.start()
    system.put("order-events", b"oops", key=b"k")
    letters = wait_until(
        lambda: one.get("/api/v1/dead-letters").json()["deadLetters"], "the dead letter"
    )
    path = f"/api/v1/dead-letters/{letters[0]['number']}"
    discarded = one.post(f"{path}/discard", json={"why": "a test"})
    seen = one.get(path).json()

    assert "oops" == letters[0]["value"]
    assert 202 == discarded.status_code
    assert ("discarded", "local", "a test") == (seen["action"], seen["by"], seen["why"])
