"""The adapter of Kafka alone: its processor, its consumer and its producer are scripted."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from thespian.actors import ActorAddress

from order_sagas.bridges.kafka.consumer_listener import Batch as Handover
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.consumer_events import (
    RecordsRead,
    ShardsAssigned,
    ShardsLost,
    ShardsRevoked,
)
from order_sagas.bridges.processor.kafka import KafkaLogAdapter
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from tests.support.kafka_ports import ScriptedClient
from tests.support.processor_parts import PARTITIONS, ProcessorParts, an_order, shard_of

READER = ActorAddress("reader")
EVERY = frozenset(range(PARTITIONS))


class OnKafka:
    """An adapter that is open, with the host and the client that it has."""

    def __init__(self, directory: Path) -> None:
        self.client = ScriptedClient()
        self.host = ProcessorParts(directory, log=self.client)
        self.adapter = KafkaLogAdapter(self.host)
        self.adapter.open()

    def assign(self, shards: frozenset[int] = EVERY) -> ShardsAssigned:
        asked = ShardsAssigned(shards, Future())
        self.adapter.receive(asked, READER)
        return asked

    def read(self, order_id: str) -> Handover:
        record = self.host.item(an_order(order_id)).record
        assert record
        handover = Handover([record], frozenset([record.partition]))
        self.adapter.receive(RecordsRead(handover), READER)
        return handover


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[OnKafka]:
    made = OnKafka(tmp_path)
    yield made
    made.host.store.close()


def test_shards_are_claimed_between_batches(kafka: OnKafka) -> None:
    kafka.host.state = State.OPEN
    asked = kafka.assign()
    assert not asked.positions.done()

    kafka.host.state = State.IDLE
    kafka.adapter.between_batches()

    assert {} == asked.positions.result()
    assert EVERY == kafka.host.ownership.epochs.keys()


def test_shards_are_released_between_batches(kafka: OnKafka) -> None:
    kafka.assign()
    kafka.host.state = State.COMMITTING
    kafka.adapter.receive(ShardsRevoked(frozenset([1])), READER)
    (consumer,) = kafka.client.consumers
    assert [] == consumer.freed

    kafka.host.state = State.IDLE
    kafka.adapter.between_batches()

    assert [frozenset([1])] == consumer.freed
    assert EVERY - {1} == kafka.host.ownership.epochs.keys()


def test_shards_that_are_lost_with_a_batch_open_roll_it_back(kafka: OnKafka) -> None:
    kafka.assign()
    kafka.host.has_batch = True

    kafka.adapter.receive(ShardsLost(frozenset([1])), READER)

    assert "roll back" in kafka.host.asked


def test_handed_over_records_are_read_once(kafka: OnKafka) -> None:
    kafka.assign()
    handover = kafka.read("o-1")
    batch = Batch(1)

    read = kafka.adapter.poll(batch, 10)
    epochs = kafka.host.ownership.epochs
    kafka.host.store.commit(kafka.adapter.changes(batch, Changes(epochs=epochs)), 1.0)
    kafka.adapter.on_committed(batch, [])
    kafka.adapter.given_back(batch)

    assert handover.records == read
    assert {("order-events", shard_of("o-1")): (0, 2)} == batch.offsets
    (consumer,) = kafka.client.consumers
    assert [handover] == consumer.settled
    kafka.read("o-1")
    assert [] == kafka.adapter.poll(Batch(2), 10)


def test_outputs_are_published_after_the_commit(kafka: OnKafka) -> None:
    kafka.assign()
    batch, outgoing = Batch(1), Outgoing("order-events", 0, b"k", b"{}")
    assert not kafka.adapter.emit(batch, outgoing, 0)
    (producer,) = kafka.client.producers
    assert [] == producer.published

    epochs = kafka.host.ownership.epochs
    changes = kafka.adapter.changes(batch, Changes(outbox=batch.outbox, epochs=epochs))
    kafka.adapter.on_committed(batch, kafka.host.store.commit(changes, 1.0))

    assert [outgoing] == producer.published


def test_a_rollback_claims_every_assigned_shard_again(kafka: OnKafka) -> None:
    (consumer,) = kafka.client.consumers
    asked = consumer.owner.on_assigned(EVERY)
    assert not asked.done()
    kafka.assign()
    handover = kafka.read("o-1")

    kafka.host.ownership.evict_all()
    kafka.adapter.on_rolled_back()

    assert [EVERY] == consumer.rewound
    assert [handover] == consumer.settled
    assert [] == kafka.adapter.poll(Batch(1), 10)
