"""What a batch handles: outcomes of calls, deferred messages and new records."""

from typing import Any

import pytest

from order_sagas.actors.messages import ProcessPayment
from order_sagas.actors.services.payments import PaymentSettled
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.outcome_queue import Outcome, OutcomeQueue
from order_sagas.bridges.processor.owed_calls import OwedCalls
from order_sagas.bridges.processor.reader import BatchReader
from order_sagas.bridges.records.record import Record
from tests.support.calls import HeldCalls
from tests.support.processor_parts import ProcessorParts, an_order, shard_of


class Reading:
    """A reader, and the queue of outcomes that it takes from."""

    def __init__(self, parts: ProcessorParts) -> None:
        self.outcomes = OutcomeQueue()
        calls = ExternalCalls(HeldCalls(), lambda done: None)
        owed = OwedCalls(parts.store, calls, ())
        self.reader = BatchReader(parts.shared(), parts.deferral(), self.outcomes, calls, owed)

    def read(self, batch: Batch, *, stopping: bool = False) -> list[str]:
        items = self.reader.read(batch, stopping=stopping)
        return [item.message.order_id for item in items]


@pytest.fixture
def reading(parts: ProcessorParts) -> Reading:
    return Reading(parts)


def records(parts: ProcessorParts, *order_ids: str) -> list[Any]:
    return [parts.item(an_order(order_id)).record for order_id in order_ids]


def test_half_of_a_batch_is_for_records_however_many_outcomes_wait(
    parts: ProcessorParts, reading: Reading
) -> None:
    parts.log.records = records(parts, *(f"o-{n}" for n in range(20)))
    for n in range(20):
        outcome = PaymentSettled(order_id=f"c-{n}")
        reading.outcomes.put(Outcome(outcome, ("payments", "charge", f"c-{n}")))
    batch = Batch(2)

    read = reading.read(batch)

    assert [f"o-{n}" for n in range(5)] + [f"c-{n}" for n in range(5)] == read
    assert 5 == batch.records


def test_a_processor_that_stops_reads_outcomes_only(
    parts: ProcessorParts, reading: Reading
) -> None:
    parts.log.records = records(parts, "o-1")
    reading.outcomes.put(Outcome(PaymentSettled(order_id="c-1"), ("payments", "charge", "c-1")))

    assert ["c-1"] == reading.read(Batch(1), stopping=True)
    assert 1 == len(parts.log.records)


def test_an_unreadable_record_becomes_a_dead_letter(
    parts: ProcessorParts, reading: Reading
) -> None:
    parts.log.records = [Record("order-events", 0, 1, b"k", b"{")]
    batch = Batch(1)

    assert [] == reading.read(batch)
    assert ["dead-letters"] == [each.topic for each in parts.log.emitted]
    assert 1 == batch.dead_letters


def test_a_record_of_another_workers_shard_is_forwarded(
    parts: ProcessorParts, reading: Reading
) -> None:
    parts.log.foreign = {"o-1": b"o-1"}
    parts.log.records = records(parts, "o-1", "o-2")

    assert ["o-2"] == reading.read(Batch(1))
    assert [(b"o-1", shard_of("o-1"))] == [(e.key, e.partition) for e in parts.log.emitted]


def test_an_outcome_of_another_workers_shard_is_set_aside(
    parts: ProcessorParts, reading: Reading
) -> None:
    parts.log.foreign = {"c-1": b"c-1"}
    reading.outcomes.put(Outcome(PaymentSettled(order_id="c-1"), ("payments", "charge", "c-1")))
    batch = Batch(1)

    assert [] == reading.read(batch)
    assert batch.look_again
    parts.log.foreign = {}
    reading.outcomes.bring_back()
    assert ["c-1"] == reading.read(Batch(2))


def test_a_record_that_no_receiver_takes_is_a_dead_letter(
    parts: ProcessorParts, reading: Reading
) -> None:
    value = parts.context.wire.encode(ProcessPayment(order_id="o-1"))
    parts.log.records = [Record("order-events", 0, 1, b"o-1", value)]

    assert [] == reading.read(Batch(1))
    assert 1 == parts.counts.dead_letters
