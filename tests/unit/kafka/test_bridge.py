"""What a processor on Kafka drops and keeps when shards move, on ports that the test controls."""

from typing import Any

import pytest
from thespian.actors import ActorAddress, WakeupMessage

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.protocol import NO_BATCH, Ack, Delivery, Nack, timer_ticket
from order_sagas.actors.sagas.advance import advance
from order_sagas.actors.sagas.state import SagaState
from order_sagas.actors.services.payments import PaymentSettled
from order_sagas.bridges.kafka.consumer_listener import Batch as Handover
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.processor.wakeups import BeginAgain, CommitAgain
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from tests.support.kafka_ports import PARTITIONS, WorkerOnPorts

NOBODY = ActorAddress("nobody")
SHARDS = frozenset(range(PARTITIONS))


class NotingProcessor(BatchProcessor):
    """Notes the order ids of its deliveries to services."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered: list[str] = []

    def send(self, target: Any, message: Any) -> None:
        if type(message) is Delivery:
            self.delivered.append(message.message.order_id)
        super().send(target, message)

    def has_open(self, batch: Batch) -> Batch:
        """As if this batch had been opened."""
        self._enter(State.OPEN)
        self._batch = batch
        return batch


@pytest.fixture
def worker() -> WorkerOnPorts:
    """A worker on Kafka that owns every shard."""
    worker = WorkerOnPorts(processor=NotingProcessor)
    worker.owner.on_assigned(SHARDS)
    return worker


def shard_of(order_id: str) -> int:
    return partition_for(order_id.encode(), PARTITIONS)


def a_saga(order_id: str) -> SagaState:
    return advance(PLACE_ORDER, None, OrderCreated(order_id=order_id), 0.0).progress


def test_a_shard_takes_along_what_its_timers_did_while_a_batch_was_stored(
    worker: WorkerOnPorts,
) -> None:
    """The next owner's timers do it: ours must not be stored in a batch of other shards."""
    processor = worker.processor
    mine, gone = a_saga("o-1"), a_saga("o-2")
    processor.ownership.in_flight.update({mine.saga_id: NOBODY, gone.saga_id: NOBODY})
    for saga in (mine, gone):
        processor._timer_acks.keep(saga.saga_id, Ack(NO_BATCH, timer_ticket(1), (), (saga,)))
    assert shard_of("o-1") != shard_of("o-2")

    processor.lose(frozenset([shard_of("o-2")]))

    assert [mine.saga_id] == [*processor._timer_acks.by_saga]


def test_the_outcome_of_a_call_waits_while_its_shard_is_another_workers(
    worker: WorkerOnPorts,
) -> None:
    """Its new owner makes the call again, with the same key: two may not write one payment."""
    gone = frozenset([shard_of("o-2")])
    worker.owner.on_revoked(gone)
    for order_id in ("o-1", "o-2"):
        message = PaymentSettled(order_id=order_id)
        worker.tell(
            CallDone(
                service="payments", operation="charge", key=order_id, order_id=order_id,
                message=message,
            )
        )  # fmt: skip

    assert {"o-1"} == {*worker.processor.delivered}

    worker.owner.on_assigned(gone)

    assert {"o-1", "o-2"} == {*worker.processor.delivered}


def test_a_batch_is_not_stored_by_a_retry_that_was_for_another(worker: WorkerOnPorts) -> None:
    """The batch that waited for the database was rolled back; this one still waits for actors."""
    processor = worker.processor
    processor.has_open(Batch(2, waiting=1))

    processor.receiveMessage(WakeupMessage(None, CommitAgain(1)), NOBODY)
    processor._enter(State.COMMITTING)  # it waits for the database by now, with a timer of its own
    processor.receiveMessage(WakeupMessage(None, CommitAgain(1)), NOBODY)

    assert "before commit" not in worker.points


def test_an_acknowledgement_of_a_rolled_back_batch_does_not_count_for_the_next(
    worker: WorkerOnPorts,
) -> None:
    """A lost shard rolls a batch back while its deliveries are out; their answers come later."""
    processor = worker.processor
    present = processor.has_open(Batch(2, waiting=2))
    saga = a_saga("o-1")

    processor.receiveMessage(Ack(1, 0, (), (saga,)), NOBODY)
    processor.receiveMessage(Nack(1, 0, "too late"), NOBODY)

    assert 2 == present.waiting
    assert {} == present.sagas
    assert 2 == worker.report().stale_acks


def test_an_acknowledgement_of_the_open_batch_counts(worker: WorkerOnPorts) -> None:
    processor = worker.processor
    present = processor.has_open(Batch(2, waiting=2))

    processor.receiveMessage(Ack(2, 0), NOBODY)

    assert 1 == present.waiting
    assert 0 == worker.report().stale_acks


def test_records_that_were_read_together_are_handled_in_as_many_batches_as_it_takes(
    worker: WorkerOnPorts,
) -> None:
    """What was handed over is given back once the last of it is taken."""
    kafka = worker.processor._log
    place = ("order-events", 3)
    records = [Record(*place, offset, b"k", b"{}") for offset in range(25)]
    handover = Handover(records, frozenset([3]))
    kafka._queue.add(handover)
    batches: list[Any] = []
    for limit in (10, 10, 10):
        batch = Batch(len(batches) + 1)
        taken = kafka.poll(batch, limit)
        batches.append((len(taken), batch.offsets[place], batch.sources))
        kafka._positions.committed(batch.offsets)

    assert [(10, (0, 10), []), (10, (10, 20), []), (5, (20, 25), [handover])] == batches
    assert not kafka._queue


@pytest.mark.parametrize(
    ("roles", "sent_on"),
    [
        (("orchestrator",), 1),
        (("orders",), 0),
        (("orchestrator", "orders"), 1),
    ],
)
def test_a_record_of_another_shard_is_sent_on_by_one_set_of_roles(
    roles: tuple[str, ...], sent_on: int
) -> None:
    """Each set reads it, and each would find it twice in the other partition."""
    worker = WorkerOnPorts(roles=roles)
    right = shard_of("o-1")
    worker.owner.on_assigned(SHARDS - {right})
    value = b'{"orderId":"o-1","status":"ORDER_CREATED"}'

    worker.read(Record("order-events", (right + 1) % PARTITIONS, 0, None, value))

    assert [(right, value)] * sent_on == [(o.partition, o.value) for o in worker.producer.published]


def test_sets_that_claim_the_same_shards_in_turns_let_one_another_commit(
    worker: WorkerOnPorts,
) -> None:
    """The first loss is a shard that has moved; after the second, the other may go on first."""
    waits: list[float] = []
    value = b'{"orderId":"o-1","status":"ORDER_CREATED"}'
    for _ in range(5):
        worker.database.connection.execute(
            "UPDATE offsets SET position = position + 1 WHERE topic = '#epochs'"
        )
        worker.read(Record("order-events", shard_of("o-1"), 0, b"o-1", value))
        now = worker.clock.monotonic()
        due = [t.due - now for t in worker.base.timers() if type(t.payload) is BeginAgain]
        waits += due
        worker.base.advance(max(due, default=0.0))
        assert State.IDLE is worker.processor.state
        worker.owner.on_assigned(SHARDS)

    assert 5 == worker.points.count("before commit")
    assert 4 == len(waits)  # not after the first loss
    assert sorted(waits) == waits
    assert waits[0] < waits[-1]
