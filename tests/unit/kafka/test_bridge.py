"""What a processor on Kafka lets go of when shards move, without a broker and without actors."""

from types import SimpleNamespace
from typing import Any

import pytest
from thespian.actors import ActorAddress, WakeupMessage

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.protocol import NO_BATCH, Ack, Nack, timer_ticket
from order_sagas.actors.sagas.advance import advance
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState
from order_sagas.actors.services.payments import PaymentSettled
from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.kafka.consumer_listener import Batch as Handover
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.call_runners import ImmediateCalls
from order_sagas.bridges.processor.external_calls import CAPACITY
from order_sagas.bridges.processor.kafka import KafkaLogAdapter
from order_sagas.bridges.processor.outcome_queue import Outcome
from order_sagas.bridges.processor.processor import BatchProcessor, CommitAgain
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Routes
from order_sagas.system.order_app import APP

PARTITIONS = 8
NOBODY = ActorAddress("nobody")


class Processor(BatchProcessor):
    """Notes what it would send and store; all its shards are claimed but those it `lacks`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []
        self.done: list[str] = []
        store = SimpleNamespace(
            partitions=PARTITIONS,
            numbers=lambda order_ids: {},
            may_be_pruned=lambda order_id: False,
            commit=lambda *_: self.done.append("commit"),
        )
        registry = Registry([PLACE_ORDER])
        context: Any = SimpleNamespace(
            store=store,
            registry=registry,
            routes=Routes(registry, APP.services),
            services=(),
            batch_size=10,
            tracing=None,
            call_runner=ImmediateCalls(),
            call_capacity=CAPACITY,
            tell=self.sent.append,
            flush=lambda: None,
            watch=lambda point: None,
            clock=SimpleNamespace(now=lambda: 0.0),
        )
        self.receivers.update({ORCHESTRATOR: NOBODY, "payments": NOBODY})
        self._make_parts(context, KafkaLogAdapter)
        self.ownership.epochs.update(dict.fromkeys(range(PARTITIONS), 1))
        self.kafka._owner = SimpleNamespace()  # type: ignore[assignment]
        self.kafka._offsets = SimpleNamespace(name={})  # type: ignore[assignment]

    @property
    def kafka(self) -> KafkaLogAdapter:
        assert isinstance(self._log, KafkaLogAdapter)
        return self._log

    def send(self, target: Any, message: Any) -> None:
        self.sent.append(message)

    def has_open(self, batch: Batch) -> Batch:
        """As if this batch had been opened."""
        self._enter(State.OPEN)
        self._batch = batch
        return batch


@pytest.fixture
def processor() -> Processor:
    """A processor on Kafka that owns every shard."""
    return Processor()


def shard_of(order_id: str) -> int:
    return partition_for(order_id.encode(), PARTITIONS)


def a_saga(order_id: str) -> SagaState:
    return advance(PLACE_ORDER, None, OrderCreated(order_id=order_id), 0.0).progress


def test_a_shard_takes_along_what_its_timers_did_while_a_batch_was_stored(
    processor: Processor,
) -> None:
    """The next owner's timers do it: ours must not be stored in a batch of other shards."""
    mine, gone = a_saga("o-1"), a_saga("o-2")
    processor.ownership.in_flight.update({mine.saga_id: NOBODY, gone.saga_id: NOBODY})
    processor._early = {
        saga.saga_id: [Ack(NO_BATCH, timer_ticket(1), (), (saga,))] for saga in (mine, gone)
    }
    assert shard_of("o-1") != shard_of("o-2")

    processor.lose(frozenset([shard_of("o-2")]))

    assert [mine.saga_id] == [*processor._early]


def test_the_outcome_of_a_call_waits_while_its_shard_is_another_workers(
    processor: Processor,
) -> None:
    """Its new owner makes the call again, with the same key: two may not write one payment."""
    for order_id in ("o-1", "o-2"):
        call = ("payments", "charge", order_id)
        processor._outcomes.put(Outcome(PaymentSettled(order_id=order_id), call))
    epoch = processor.ownership.epochs.pop(shard_of("o-2"))

    processor._fill(processor._open())

    assert ["o-1"] == [delivery.message.order_id for delivery in processor.sent]

    processor._close_batch()
    processor.ownership.epochs[shard_of("o-2")] = epoch
    processor._outcomes.bring_back()
    processor._fill(processor._open())

    assert ["o-1", "o-2"] == [delivery.message.order_id for delivery in processor.sent]


def test_a_batch_is_not_stored_by_a_retry_that_was_for_another(processor: Processor) -> None:
    """The batch that waited for the database was rolled back; this one still waits for actors."""
    processor.has_open(Batch(2, waiting=1))

    processor.receiveMessage(WakeupMessage(None, CommitAgain(1)), NOBODY)
    processor._enter(State.COMMITTING)  # it waits for the database by now, with a timer of its own
    processor.receiveMessage(WakeupMessage(None, CommitAgain(1)), NOBODY)

    assert [] == processor.done


def test_an_acknowledgement_of_a_rolled_back_batch_does_not_count_for_the_next(
    processor: Processor,
) -> None:
    """A lost shard rolls a batch back while its deliveries are out; their answers come later."""
    present = processor.has_open(Batch(2, waiting=2))
    saga = a_saga("o-1")

    processor.receiveMessage(Ack(1, 0, (), (saga,)), NOBODY)
    processor.receiveMessage(Nack(1, 0, "too late"), NOBODY)

    assert 2 == present.waiting
    assert {} == present.sagas
    assert 2 == processor._report().stale_acks


def test_an_acknowledgement_of_the_open_batch_counts(processor: Processor) -> None:
    present = processor.has_open(Batch(2, waiting=2))

    processor.receiveMessage(Ack(2, 0), NOBODY)

    assert 1 == present.waiting
    assert 0 == processor._report().stale_acks


def test_records_that_were_read_together_are_handled_in_as_many_batches_as_it_takes(
    processor: Processor,
) -> None:
    """What was handed over is given back once the last of it is taken."""
    place = ("order-events", 3)
    records = [Record(*place, offset, b"k", b"{}") for offset in range(25)]
    handover = Handover(records, frozenset([3]))
    processor.kafka._positions.claimed({place: 0})
    processor.kafka._queue.append((handover, records))
    batches: list[Any] = []
    for limit in (10, 10, 10):
        batch = Batch(len(batches) + 1)
        taken = processor.kafka.poll(batch, limit)
        batches.append((len(taken), batch.offsets[place], batch.sources))
        processor.kafka._positions.committed(batch.offsets)

    assert [(10, (0, 10), []), (10, (10, 20), []), (5, (20, 25), [handover])] == batches
    assert not processor.kafka._queue


@pytest.mark.parametrize(
    ("receivers", "sent_on"),
    [
        ([ORCHESTRATOR], 1),
        (["orders"], 0),
        ([ORCHESTRATOR, "orders"], 1),
    ],
)
def test_a_record_of_another_shard_is_sent_on_by_one_set_of_roles(
    processor: Processor, receivers: list[str], sent_on: int
) -> None:
    """Each set reads it, and each would find it twice in the other partition."""
    processor.receivers.clear()
    processor.receivers.update(dict.fromkeys(receivers, NOBODY))
    routes = processor.context.routes.of("order-events", OrderCreated)
    record = Record("order-events", (shard_of("o-1") + 1) % PARTITIONS, 3, None, b"{}")
    batch = processor._open()

    item = Item(OrderCreated(order_id="o-1"), record.topic, record, routes)
    processor._reader._forward(batch, item, b"o-1")

    assert [shard_of("o-1")] * sent_on == [outgoing.partition for _, outgoing in batch.outbox]


def test_sets_that_claim_the_same_shards_in_turns_let_one_another_commit(
    processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loss is a shard that has moved; after the second, the other may go on first."""
    waits: list[float] = []
    rolled_back: list[int] = []

    def lost(*_: Any) -> None:
        raise LostShardError("shard 0 was claimed by another worker")

    def give_up() -> None:
        rolled_back.append(processor._lost)
        processor._close_batch()

    monkeypatch.setattr(
        processor, "wakeupAfter", lambda after, _: waits.append(after.total_seconds())
    )
    monkeypatch.setattr(processor, "roll_back", give_up)
    monkeypatch.setattr(processor.context.store, "commit", lost)
    for number in range(5):
        processor._commit(processor.has_open(Batch(number, records=1)))
        if processor.state is State.AWAY:
            processor._enter(State.IDLE)

    assert [1] == rolled_back
    assert len(waits) == 4
    assert sorted(waits) == waits
    assert waits[0] < waits[-1]
