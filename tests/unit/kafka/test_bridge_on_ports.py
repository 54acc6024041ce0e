"""The bridge to Kafka on ports that a test plays: shards that come and go, records, and acks."""

from concurrent.futures import Future
from typing import Any

import pytest

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.processor.consumer_events import ShardsAssigned
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.storage.store import Store
from tests.support.kafka_ports import PARTITIONS, WorkerOnPorts

SHARDS = frozenset(range(PARTITIONS))
SHARD = partition_for(b"o-1", PARTITIONS)


def an_order(offset: int = 0, order_id: str = "o-1") -> Record:
    """The record that starts a saga; wherever its order belongs, it is in the shard of o-1."""
    value = f'{{"orderId":"{order_id}","status":"ORDER_CREATED"}}'
    return Record("order-events", SHARD, offset, order_id.encode(), value.encode())


@pytest.fixture
def worker() -> WorkerOnPorts:
    """A worker without shards."""
    return WorkerOnPorts()


def test_a_new_shard_is_read_from_the_stored_offsets(worker: WorkerOnPorts) -> None:
    """None are stored at first: it is read from its beginning."""
    assert {} == worker.owner.on_assigned(SHARDS).result(0)
    batch = worker.read(an_order(0))

    assert [batch] == worker.consumer.settled
    assert {("order-events", SHARD): 1} == worker.consumer.reported
    assert {("order-events", SHARD): 1} == worker.owner.on_assigned(SHARDS).result(0)


def test_records_of_a_shard_that_is_not_ours_are_passed_over(worker: WorkerOnPorts) -> None:
    """Their batch is given back all the same, or the consumer would stop reading."""
    worker.owner.on_assigned(SHARDS - {SHARD})
    batch = worker.read(an_order())

    assert [batch] == worker.consumer.settled
    assert 0 == worker.report().records


def test_shards_are_not_claimed_for_a_consumer_that_has_withdrawn_its_question(
    worker: WorkerOnPorts,
) -> None:
    """They may be another worker's meanwhile, who would be thrown out."""
    asked: Future[Any] = Future()
    asked.cancel()

    worker.tell(ShardsAssigned(frozenset([1]), asked))

    assert [] == worker.report().shards


def test_revoked_shards_are_released_and_lost_ones_forgotten(worker: WorkerOnPorts) -> None:
    """Nobody waits for a release of what is lost."""
    worker.owner.on_assigned(SHARDS)
    worker.owner.on_revoked(frozenset([0, 1]))
    worker.owner.on_lost(frozenset([2]))

    assert [frozenset([0, 1])] == worker.consumer.freed
    assert sorted(SHARDS - {0, 1, 2}) == worker.report().shards


def test_published_records_leave_the_outbox_once_they_are_acknowledged(
    worker: WorkerOnPorts,
) -> None:
    """Not before: a crash would lose them."""
    worker.owner.on_assigned(SHARDS)
    worker.read(an_order())
    assert worker.producer.published
    worker.base.advance(2)
    assert worker.outbox() > 0

    worker.producer.acknowledge()
    worker.base.advance(2)

    assert 0 == worker.outbox()


def test_a_worker_without_its_database_leaves_the_group_until_it_is_back(
    worker: WorkerOnPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may reach it. What the worker could not commit is not lost: it comes again."""
    worker.owner.on_assigned(SHARDS)
    right = Store.commit

    def away(*_: Any) -> list[int]:
        raise StoreUnavailableError("the database is away, on purpose")

    monkeypatch.setattr(Store, "commit", away)
    worker.read(an_order())
    worker.base.advance(29)
    first, stayed, shards = worker.consumer, worker.consumer.is_member, worker.report().shards
    worker.base.advance(20)
    left, later = not first.is_member, worker.report().shards
    waited = worker.consumer is first
    monkeypatch.setattr(Store, "commit", right)
    worker.base.advance(5)
    worker.owner.on_assigned(SHARDS)
    worker.read(an_order())

    assert (True, sorted(SHARDS)) == (stayed, shards)
    assert (True, []) == (left, later)
    assert waited
    assert worker.consumer is not first
    assert worker.consumer.is_member
    assert 1 == worker.report().records


def test_a_worker_leaves_its_group_also_if_it_is_being_given_more_shards(
    worker: WorkerOnPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker that leaves in an outage of all gives its shards to the others."""
    worker.owner.on_assigned(SHARDS - {3})

    def away(*_: Any) -> Any:
        raise StoreUnavailableError("the database is away, on purpose")

    with monkeypatch.context() as outage:
        outage.setattr(Store, "commit", away)
        outage.setattr(Store, "claim_for_roles", away)
        worker.read(an_order())
        worker.base.advance(29)
        first, asked = worker.consumer, worker.owner.on_assigned(frozenset({3}))
        worker.base.advance(20)
        left = not first.is_member
    worker.base.advance(5)

    assert left
    assert asked.cancelled()
    assert (False, True) == (first.is_member, worker.consumer.is_member)


def test_a_worker_without_shards_stays_in_its_group_after_a_short_outage(
    worker: WorkerOnPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits nothing that would tell that the outage is over."""
    context = worker.processor.context

    def away(*_: Any) -> Any:
        raise StoreUnavailableError("the database is away, on purpose")

    with monkeypatch.context() as outage:
        outage.setattr(type(context.store.deferred), "pauses", away)
        worker.base.advance(2)
    first = worker.consumer
    worker.base.advance(60)

    assert worker.consumer is first
    assert 0.0 == context.outages.lasts("database", worker.clock.now())


def test_a_worker_with_its_database_is_not_woken_to_look_at_it(worker: WorkerOnPorts) -> None:
    """An idle system sleeps."""
    worker.owner.on_assigned(SHARDS)
    worker.read(an_order())
    for _ in range(5):
        worker.base.advance(60)

    looks = [each for each in worker.base.timers() if "Database" in type(each.payload).__name__]
    assert [] == looks


def test_a_commit_of_published_records_that_fails_does_not_stop_the_worker(
    worker: WorkerOnPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch has nothing else to store; by its next attempt it is taken for empty."""
    worker.owner.on_assigned(SHARDS)
    worker.read(an_order(0))
    worker.read(an_order(1, "o-2"))
    worker.producer.acknowledge(1)
    right = Store.commit

    def away(*_: Any) -> list[int]:
        raise StoreUnavailableError("the database is away, on purpose")

    monkeypatch.setattr(Store, "commit", away)
    worker.base.advance(1)  # the outbox is to be cleaned
    monkeypatch.setattr(Store, "commit", right)
    worker.producer.acknowledge()  # that postpones the cleaning
    worker.base.advance(0.2)

    worker.read(an_order(2, "o-3"))

    assert 3 == worker.report().records
