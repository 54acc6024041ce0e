"""What the adapters of the two logs have in common, and the embedded one alone."""

from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.processor.positions import Positions
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.log_queues import LOG
from tests.support.processor_parts import PARTITIONS, ProcessorParts, an_order


def test_a_commit_moves_the_positions_that_it_has_read_and_no_others() -> None:
    positions = Positions()
    positions.claimed({("a", 0): 3, ("a", 1): 4})

    positions.committed({("a", 0): (3, 9)})

    assert {0: 9, 1: 4} == positions.of("a")
    assert {} == positions.of("b")


def test_nothing_is_claimed_after_a_rollback() -> None:
    positions = Positions()
    positions.claimed({("a", 0): 3})

    positions.clear()

    assert {} == positions.of("a")


def test_the_embedded_log_is_read_on_where_the_last_batch_was_stored(
    parts: ProcessorParts,
) -> None:
    adapter = EmbeddedLogAdapter(parts)
    adapter.open()
    assert {*range(PARTITIONS)} == parts.ownership.epochs.keys()
    batch = Batch(1)
    record = parts.item(an_order("o-1")).record
    assert record
    outgoing = Outgoing(record.topic, record.partition, record.key, record.value)
    parts.store.commit(Changes(appended=[(outgoing, 0)], epochs=parts.ownership.epochs), 1.0)

    (read,) = adapter.poll(batch, 10)
    changes = adapter.changes(batch, Changes(offsets=batch.offsets, epochs=parts.ownership.epochs))
    parts.store.commit(changes, 2.0)
    adapter.on_committed(batch, [])

    assert read.value == record.value
    assert (0, read.offset) == batch.offsets[LOG, record.partition]
    assert [] == [*adapter.poll(Batch(2), 10)]


def test_the_embedded_log_reads_again_what_a_rolled_back_batch_has_read(
    parts: ProcessorParts,
) -> None:
    adapter = EmbeddedLogAdapter(parts)
    adapter.open()
    record = parts.item(an_order("o-1")).record
    assert record
    outgoing = Outgoing(record.topic, record.partition, record.key, record.value)
    parts.store.commit(Changes(appended=[(outgoing, 0)], epochs=parts.ownership.epochs), 1.0)
    before = dict(parts.ownership.epochs)
    first = [each.offset for each in adapter.poll(Batch(1), 10)]

    parts.ownership.evict_all()
    adapter.on_rolled_back()

    assert first == [each.offset for each in adapter.poll(Batch(2), 10)]
    assert all(parts.ownership.epochs[shard] > epoch for shard, epoch in before.items())


def test_the_embedded_log_handles_outputs_of_its_own_shards_in_the_same_batch(
    parts: ProcessorParts,
) -> None:
    adapter = EmbeddedLogAdapter(parts)
    parts.ownership.epochs.update({0: 1})
    batch = Batch(1)

    assert adapter.emit(batch, Outgoing("order-events", 0, b"k", b"{}"), 0)
    assert not adapter.emit(batch, Outgoing("order-events", 1, b"k", b"{}"), 0)
    assert 2 == len(batch.appended)
