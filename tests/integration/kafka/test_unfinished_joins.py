"""A consumer that polls in short steps joins its group."""

import pytest
from kafka import KafkaConsumer

from order_sagas.bridges.kafka import KafkaConnection
from order_sagas.bridges.kafka.assignor import ShardAssignor
from order_sagas.bridges.kafka.rejoin_workaround import finish_pending_join
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


def test_a_join_is_finished_after_any_interruption(
    connection: KafkaConnection, topics: list[str], unique: str
) -> None:
    """The response of the group comes between two polls, as it may on a busy machine."""
    consumer = connection.make(
        KafkaConsumer,
        group_id=unique,
        partition_assignment_strategy=[ShardAssignor(lambda: consumer.assignment())],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    coordinator = consumer._coordinator
    consumer.subscribe(topics)

    def has_joined() -> bool:
        consumer.poll(timeout_ms=500)
        finish_pending_join(consumer)
        return bool(consumer.assignment()) and not coordinator.rejoining

    wait_until(has_joined, "the first join to be finished")
    coordinator._assignment_snapshot = {}  # as if the topics had changed since
    wait_until(lambda: consumer.poll(timeout_ms=0) or coordinator.rejoining, "another to begin")
    wait_until(lambda: coordinator._join_task.is_done, "the group to answer")
    wait_until(has_joined, "the other join to be finished")
    generation = consumer.group_metadata().generation_id
    consumer.close()

    assert generation > 1
