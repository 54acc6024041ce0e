"""Records of other programs: replies with two fields only, and unreadable records."""

import json

import pytest
from kafka import KafkaProducer

from order_sagas.actors.messages import OrderLine
from order_sagas.bridges.kafka import KafkaConnection
from order_sagas.bridges.records.partitioner import partition_for
from tests.support.kafka_system import PARTITIONS, KafkaSystem, orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

OURS = "orchestrator,orders,notification"
COUNT = 24


def answer(system: KafkaSystem, topic: str, status: str, *numbers: int) -> None:
    """Return a reply of another service: two fields and some of its own, without a key."""
    for number in numbers:
        value = {"orderId": f"o-{number}", "status": status, "shard": {"of": [1]}, "amount": None}
        system.put(topic, json.dumps(value).encode(), partition=(number * 5 + 3) % PARTITIONS)


def waiting_for(system: KafkaSystem, step: str) -> int:
    return system.number("SELECT count(*) FROM sagas WHERE step = :step", step=step)


def test_replies_with_two_fields_drive_sagas_on_two_workers(system: KafkaSystem) -> None:
    """From any partition: they are forwarded to the worker of their saga."""
    for _ in range(2):
        system.start("--roles", OURS)
    everyone, unlucky = range(COUNT), range(0, COUNT, 3)
    answer(system, "order-events", "ORDER_CREATED", *everyone)
    wait_until(lambda: COUNT == waiting_for(system, "process payment"), "payments to be asked for")
    answer(system, "payment-events", "PAYMENT_COMPLETED", *everyone)
    wait_until(lambda: COUNT == waiting_for(system, "reserve stock"), "goods to be asked for")
    lucky = sorted({*everyone} - {*unlucky})
    answer(system, "stock-events", "STOCK_RESERVATION_FAILED", *unlucky)
    answer(system, "stock-events", "STOCK_RESERVED", *lucky)
    wait_until(lambda: len(lucky) == system.ended(), "those with goods to end")
    wait_until(lambda: len(unlucky) == waiting_for(system, "process payment"), "refunds")
    answer(system, "payment-events", "PAYMENT_ROLLED_BACK", *unlucky)
    system.wait_for_ends(COUNT)

    assert {"COMPLETED": len(lucky), "CANCELLED": len(unlucky)} == system.statuses()
    assert [] == system.violations()
    assert [] == system.read("dead-letters")


def test_participants_that_never_acknowledge_a_rollback_block_no_saga(system: KafkaSystem) -> None:
    """Their step has no `undone`: the compensation is sent, and not waited for."""
    system.start_special("--silent", "payments", "stock")
    system.put("order-events", *orders(5))
    system.load(3)
    system.wait_for_ends(5)

    sent = [json.loads(r.value or b"")["status"] for r in system.read("payment-events")]
    assert {"COMPLETED": 3, "CANCELLED": 2} == system.statuses()
    assert 2 == sent.count("ROLLBACK_PAYMENT")


POISON: dict[str, bytes | None] = {
    "null": None,
    "empty": b"",
    "not JSON": b"nonsense",
    "not an object": b"[1, 2]",
    "not text": b"\xff\xfe\x00",
    "another encoding": '{"orderId": "o-1", "status": "ORDER_CREATED"}'.encode("utf-16"),
    "no status": b'{"orderId": "o-1"}',
    "an unknown status": b'{"orderId": "o-1", "status": "ORDER_EATEN"}',
    "a status of another topic": b'{"orderId": "o-1", "status": "PAYMENT_COMPLETED"}',
    "a wrong type": b'{"orderId": 7, "status": "ORDER_CREATED"}',
    "a wrong type inside": b'{"orderId": "o-1", "status": "ORDER_CREATED", "lines": [{"sku": 1}]}',
    "no order": b'{"orderId": "", "status": "ORDER_CREATED"}',
    "huge": b'{"orderId": "o-1", "status": "ORDER_EATEN", "x": "' + b"x" * 1_000_000 + b'"}',
}


def test_unreadable_records_become_dead_letters_and_block_nothing(system: KafkaSystem) -> None:
    """Complete, with headers for their position, error and time."""
    system.start()
    system.load()
    for number, value in enumerate(POISON.values()):
        headers = (("number", b"%d" % number), ("odd \u00e9", b"\xff"))
        system.put("order-events", value, partition=number % PARTITIONS, headers=headers)
    system.put("order-events", *orders(20, "good"))
    system.wait_for_ends(20)
    wait_until(lambda: len(POISON) == len(system.read("dead-letters")), "the letters")
    letters = {int(dict(r.headers)["number"]): r for r in system.read("dead-letters")}
    about = {number: dict[str, bytes](letter.headers) for number, letter in letters.items()}

    assert list(POISON.values()) == [letters[number].value for number in sorted(letters)]
    for number, told in about.items():
        assert b"\xff" == told["odd \u00e9"]
        assert b"order-events" == told["dead-letter-topic"]
        assert b"%d" % (number % PARTITIONS) == told["dead-letter-partition"]
        assert told["dead-letter-offset"].isdigit()
        assert told["dead-letter-error"]
        assert told["dead-letter-time"].startswith(b"20")
    assert {"COMPLETED": 20} == system.statuses()


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_record_larger_than_the_limit_of_its_topic_is_a_dead_letter(
    system: KafkaSystem, when: str
) -> None:
    """Complete, whether the worker knows the limit or the broker refuses; other orders continue."""
    lines = tuple(OrderLine(sku=f"SKU-{n}", quantity=1, unit_price=1) for n in range(100))
    system.env["ORDER_SAGAS_DEADLINE_SCALE"] = "0.3"
    if when == "before the start":
        system.limit("stock-events", 3000)
    worker = system.start()
    system.load()
    system.put("order-events", *orders(1, "early"))
    system.wait_for_ends(1)
    system.limit("stock-events", 3000)
    system.put("order-events", *orders(1, "large", lines=lines), *orders(20, "small"))
    system.wait_for_ends(22)
    wait_until(lambda: 0 == system.number("SELECT count(*) FROM outbox"), "the outbox to be empty")
    found = system.read("dead-letters")

    assert {"COMPLETED": 21, "CANCELLED": 1} == system.statuses()
    assert found
    for letter in found:
        about = dict(letter.headers)
        value = json.loads(letter.value or b"")
        assert b"stock-events" == about["dead-letter-topic"]
        assert ("large-0", 100) == (value["orderId"], len(value["lines"]))
    assert [] == system.violations()
    assert 0 == worker.stop()


def test_a_key_belongs_to_the_partition_that_other_clients_choose(system: KafkaSystem) -> None:
    """The partitioner of Kafka clients assigns a key to the shard that its owner reads."""
    connection: KafkaConnection = system.connection
    producer = KafkaProducer(**connection.client_settings())
    keys = [f"order-{number} \u00e9".encode() for number in range(50)]
    chosen = [producer.send("order-events", b"x", key=key).get(20).partition for key in keys]
    producer.close()

    assert chosen == [partition_for(key, PARTITIONS) for key in keys]
