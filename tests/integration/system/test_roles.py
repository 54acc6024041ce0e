"""Different sets of roles on Kafka: a role continues at its offset, nothing comes twice."""

import pytest

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.kafka.topic_scan import ends_of_topics
from order_sagas.bridges.storage.lag import Lag, lag_of_topics
from order_sagas.system.order_app import APP
from tests.support.kafka_system import PARTITIONS, KafkaSystem, orders
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

NO_PAYMENT = "orchestrator,orders,stock,notification"
WAITING = "SELECT count(*) FROM sagas WHERE step = 'process payment'"


def lag_of(system: KafkaSystem) -> Lag:
    """The lag that `status` shows."""
    topics = [topic for topic in APP.topics if topic != DEAD_LETTERS]
    ends = ends_of_topics(system.connection, topics, PARTITIONS)
    with system.reading() as db:
        return lag_of_topics(db, ends, "order-sagas", APP.topics_of_roles)


def test_another_set_of_roles_continues_at_the_offset_of_each_role(system: KafkaSystem) -> None:
    """No saga gets its start again; an unreadable record becomes a dead letter once."""
    system.make_tables()
    first = system.start("--roles", NO_PAYMENT)
    system.load()
    system.put("order-events", b"nonsense", key=b"x")
    system.put("order-events", *orders(20))
    wait_until(lambda: system.number(WAITING) == 20, "payments to be asked for")
    wait_until(lambda: not lag_of(system).roles["orchestrator"], "all records to be read")
    assert 0 == first.stop()
    lag = lag_of(system)
    second = system.start()
    system.wait_for_ends(20)
    system.put("order-events", *orders(5, "more"))
    system.wait_for_ends(25)
    assert 0 == second.stop()
    third = [system.start("--roles", roles) for roles in ("payment", "notification,stock")]
    system.put("order-events", *orders(5, "last"))
    third.append(system.start("--roles", "orchestrator,orders"))
    system.wait_for_ends(30)

    assert {**dict.fromkeys(NO_PAYMENT.split(","), 0), "payment": None} == lag.roles
    assert 0 == sum(lag.topics.values())
    assert {"COMPLETED": 30} == system.statuses()
    assert ["nonsense"] == [letter["value"] for letter in system.json_of("dead-letters", "list")]
    assert [] == system.log("saga.message_ignored")
    assert [] == system.violations()
    assert [0] * 3 == [worker.stop() for worker in third]
    assert 0 == system.number("SELECT count(*) FROM outbox")
