"""Services on Spring Boot, choreographed, with this orchestrator on one Kafka."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.interop.java_services import SERVICES, JavaService, build, why_no_java
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import KafkaSystem, fresh_topics
from tests.support.required import skip_or_fail
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.java,
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.slow,
]

COUNT = 2000
ORDERS = [f"J-{number}" for number in range(COUNT)]
EVENTS = ("order-events", "payment-events", "stock-events", "notification-events")
SUBMITTED = [f"S-{number}" for number in range(5)]
EVERY = [*ORDERS, *SUBMITTED]
WIRE_FORMS = ",".join(f"{topic}=spring-json-string" for topic in EVENTS)
IN_TIME = 120.0
"""Seconds within which all orders end, by events alone: the deadline of a step is five minutes.

Reached only by a failing test."""


ORDER = {
    "customerId": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "PEN", "quantity": 1, "unitPrice": 150}],
}


def fails(number: int) -> bool:
    """Whether the payment service declines the order, or the stock service lacks its goods."""
    return number % 5 == 4 or number % 7 == 6


@pytest.fixture(scope="session")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The jar of the services."""
    if missing := why_no_java():
        skip_or_fail("REQUIRE_JAVA", missing)
    return build(Path(tmp_path_factory.mktemp("shop")))


@pytest.fixture
def services(jar: Path, own_kafka: KafkaBroker, tmp_path: Path) -> Iterator[dict[str, JavaService]]:
    """The five services, running."""
    fresh_topics(own_kafka.bootstrap_servers)
    made = {
        name: JavaService(name, jar, tmp_path, own_kafka.bootstrap_servers) for name in SERVICES
    }
    try:
        for service in made.values():
            service.start()
        for service in made.values():
            service.wait_until_ready()
        yield made
    finally:
        for service in made.values():
            service.kill()


def place(port: int, order_id: str) -> None:
    """Place an order by REST; repeat until the service has accepted it."""

    def is_placed() -> bool:
        try:
            answer = httpx.post(f"http://127.0.0.1:{port}/orders", json={"orderId": order_id})
        except httpx.TransportError:
            return False
        return answer.status_code == 201

    wait_until(is_placed, f"{order_id} to be placed")


def test_orders_of_spring_services_all_end_and_nothing_is_done_twice(
    services: dict[str, JavaService],
    own_kafka: KafkaBroker,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    """2,000 orders by REST, and some by our command; some payments and goods fail, and two services
    are killed meanwhile. No reply is lost that came before its order: no deadline passes.
    """
    system = KafkaSystem(
        tmp_path, own_kafka.bootstrap_servers, postgres_url,
        services="choreographed", wire_forms=WIRE_FORMS,
    )  # fmt: skip
    try:
        system.start()
        with ThreadPoolExecutor(4) as pool:
            placed = pool.map(lambda order_id: place(services["order"].port, order_id), ORDERS)
            for name in ("payment", "stock"):
                at_work = at_least(services[name], COUNT // 4)
                wait_until(at_work, f"{name} to be at work", IN_TIME)
                services[name].kill()
                services[name].start()
            lines = [json.dumps({**ORDER, "orderId": order_id}) for order_id in SUBMITTED]
            done = system.run("submit", "-", "--format", "jsonl", stdin="\n".join(lines))
            assert 0 == done.returncode, done.stderr
            assert COUNT == len([*placed])
        wait_until(lambda: system.ended() >= len(EVERY), "all sagas to end", IN_TIME)
        told = at_least(services["notification"], len(EVERY))
        wait_until(told, "customers to be notified", IN_TIME)
        ends = dict(system.rows("SELECT order_id, status FROM sagas"))
        wait_until(lambda: not unsettled(services, ends), "services to obey", IN_TIME)
        audit = system.run("audit", "--ended", "--json")
        letters = system.read("dead-letters")
    finally:
        system.close()

    completed = [order_id for order_id, end in ends.items() if end == "COMPLETED"]
    numbers = {each: int(each.partition("-")[2]) for each in EVERY}
    assert {
        each: "CANCELLED" if fails(number) else "COMPLETED" for each, number in numbers.items()
    } == ends
    assert {order_id: [f"ORDER_{end}"] for order_id, end in ends.items()} == (
        services["notification"].acts()
    )
    assert sorted(completed) == sorted(services["shipping"].acts())
    assert [] == letters
    assert json.loads(audit.stdout)["ok"], audit.stdout


def at_least(service: JavaService, count: int) -> Callable[[], bool]:
    """A condition: the service has acted for at least `count` orders."""
    return lambda: len(service.acts()) >= count


COMPLETED: set[tuple[tuple[str, ...], tuple[str, ...]]] = {(("CHARGED",), ("RESERVED",))}
CANCELLED: set[tuple[tuple[str, ...], tuple[str, ...]]] = {
    (("DECLINED",), ()),
    (("CHARGED", "REFUNDED"), ("LACKING",)),
}
"""What the payment and the stock service may have done for an order, by its final status."""


def unsettled(services: dict[str, JavaService], ends: dict[str, str]) -> list[str]:
    """Return orders for which something was done twice, or not undone."""
    payments, goods = services["payment"].acts(), services["stock"].acts()
    right: dict[str, set[tuple[tuple[str, ...], tuple[str, ...]]]] = {
        "COMPLETED": COMPLETED,
        "CANCELLED": CANCELLED,
    }
    return [
        order_id
        for order_id, end in ends.items()
        if (tuple(payments.get(order_id, ())), tuple(goods.get(order_id, ()))) not in right[end]
    ]
