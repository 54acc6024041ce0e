"""What becomes of shards whose topics are not what their offsets were stored for."""

from pathlib import Path

import pytest

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.kafka.consumer_listener import HELD, Extent
from order_sagas.bridges.processor.topic_check import TopicCheck
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.store import Store
from order_sagas.bridges.storage.topic_ids import TopicIds
from tests.support.embedded import BEGAN
from tests.support.kafka_ports import PARTITIONS, WorkerOnPorts
from tests.support.logged import captured_logs
from tests.unit.kafka.test_bridge_on_ports import SHARD, SHARDS, an_order

PLACE = ("order-events", SHARD)


def extents(
    begin: int = 0, end: int = 10, topic_id: str = "first"
) -> dict[tuple[str, int], Extent]:
    """Return what all partitions of two topics hold."""
    return {
        (topic, shard): Extent(begin, end, topic_id)
        for topic in ("order-events", "payment-events")
        for shard in range(PARTITIONS)
    }


@pytest.fixture
def worker() -> WorkerOnPorts:
    """A worker that has handled three records of one partition."""
    worker = WorkerOnPorts()
    worker.owner.on_extents(extents())
    worker.owner.on_assigned(SHARDS).result(0)
    for offset in range(3):
        worker.read(an_order(offset))
    assert 3 == worker.report().records
    worker.owner.on_lost(SHARDS)
    return worker


def test_a_topic_that_was_created_again_is_not_read(worker: WorkerOnPorts) -> None:
    """Whatever its offsets are; no shard goes on, and it is said why."""
    worker.owner.on_extents(extents(end=1000, topic_id="second"))
    with captured_logs() as lines:
        positions = worker.owner.on_assigned(SHARDS).result(0)
    worker.read(an_order(3))
    report = worker.report()

    assert {HELD} == {*positions.values()}
    assert {*SHARDS} == {shard for _, shard in positions}
    assert ([], PARTITIONS) == (report.shards, report.stopped_shards)
    assert 3 == report.records
    assert "created again: its id was first, and is second" in report.last_error
    (line, *_) = [line for line in lines if line["event"] == "kafka.topic_replaced"]
    assert ("first", "second") == (line["former_id"], line["topic_id"])


def test_a_partition_that_ends_before_its_offset_stops_its_shard_alone(
    worker: WorkerOnPorts,
) -> None:
    """It is looked at twice: the first look may be older than the offset."""
    worker.owner.on_extents(extents(end=2))
    with pytest.raises(Exception, match="after the topics were looked at"):
        worker.owner.on_assigned(SHARDS).result(0)
    assert [] == worker.report().shards
    worker.owner.on_extents(extents(end=2))
    positions = worker.owner.on_assigned(SHARDS).result(0)

    assert {SHARD} == {shard for (_, shard), offset in positions.items() if offset == HELD}
    assert sorted(SHARDS - {SHARD}) == worker.report().shards
    assert "was handled up to offset 3, and ends at 2" in worker.report().last_error


def test_an_offset_that_another_worker_stored_meanwhile_is_no_fault(worker: WorkerOnPorts) -> None:
    """The second look shows that its records are there."""
    worker.owner.on_extents(extents(end=2))
    with pytest.raises(Exception, match="after the topics were looked at"):
        worker.owner.on_assigned(SHARDS).result(0)
    worker.owner.on_extents(extents(end=3))
    positions = worker.owner.on_assigned(SHARDS).result(0)

    assert {PLACE: 3} == positions
    assert sorted(SHARDS) == worker.report().shards


def test_records_that_were_deleted_unread_are_passed_over_loudly(worker: WorkerOnPorts) -> None:
    """There is nothing else to do; reading goes on at the earliest record."""
    worker.owner.on_extents(extents(begin=7))
    with captured_logs() as lines:
        positions = worker.owner.on_assigned(SHARDS).result(0)
    stored = worker.database.connection.execute(
        "SELECT DISTINCT position FROM offsets WHERE topic = ?", (PLACE[0],)
    ).fetchall()
    worker.read(an_order(7))

    assert 7 == positions[PLACE]
    assert [(7,)] == [tuple(row) for row in stored]  # they count as waiting no more
    assert [(*PLACE, 3, 7)] == [
        (line["topic"], line["partition"], line["next"], line["begin"])
        for line in lines
        if line["event"] == "kafka.records_deleted_unread"
    ]
    assert 4 == worker.report().records


def test_a_stopped_shard_goes_on_when_the_offsets_fit_again(worker: WorkerOnPorts) -> None:
    """The consumer asks again every few seconds."""
    worker.owner.on_extents(extents(end=2))
    worker.owner.on_assigned(SHARDS)
    worker.owner.on_extents(extents(end=2))
    asked = worker.owner.on_assigned(SHARDS)
    assert HELD == asked.result(0)[PLACE]
    worker.owner.on_extents(extents(end=5))
    positions = worker.owner.on_assigned(frozenset([SHARD])).result(0)

    assert {PLACE: 3} == positions
    assert sorted(SHARDS) == worker.report().shards
    assert 0 == worker.report().stopped_shards


def test_the_ids_of_topics_are_stored_once(tmp_path: Path) -> None:
    """A broker that tells none stores none, and nothing is compared."""
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    Store(database, Registry(()), 4).close()
    ids = TopicIds(connect(database))
    check = TopicCheck(ids, lambda: BEGAN)
    check.note({PLACE: Extent(0, 5, "")})
    assert {} == check.judge({PLACE: {"orders": 3}}).stopped
    assert {} == ids.known({}, BEGAN)

    assert {"order-events": "a"} == ids.known({"order-events": "a"}, BEGAN)
    assert {"order-events": "a"} == ids.known({"order-events": "b"}, BEGAN)
