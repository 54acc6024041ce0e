"""What the bridge to Kafka lets go of when shards move, without a broker and without actors."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from thespian.actors import ActorAddress, WakeupMessage

from actors.delivery import NO_BATCH, Handled, NotHandled, timer_ticket
from actors.messages import OrderCreated
from actors.place_order import PLACE_ORDER
from actors.sagas.advance import advance
from actors.sagas.progress import Progress
from actors.sagas.registry import Registry
from actors.services.payments import PaymentSettled
from bridges.batch import Batch, Item
from bridges.bridge import CommitAgain
from bridges.call_runners import ImmediateCalls
from bridges.errors import LostShardError
from bridges.external_calls import ExternalCalls
from bridges.kafka.bridge import KafkaBridge, ShardsAssigned
from bridges.kafka.owner import Batch as Handover
from bridges.outcome_queue import Outcome
from bridges.owed_calls import OwedCalls
from bridges.partitions import partition_for
from bridges.record import Record
from bridges.routes import ORCHESTRATOR, Routes
from system.bootstrap import SERVICES

PARTITIONS = 8
NOBODY = ActorAddress("nobody")


class Bridge(KafkaBridge):
    """Notes what it would send and store; all its shards are claimed but those it `lacks`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []
        self.done: list[str] = []
        store = SimpleNamespace(
            partitions=PARTITIONS,
            numbers=lambda order_ids: {},
            may_be_pruned=lambda order_id: False,
            claim=lambda *_: self.done.append("claim"),
            commit=lambda *_: self.done.append("commit"),
        )
        registry = Registry([PLACE_ORDER])
        self._world = SimpleNamespace(  # type: ignore[assignment]
            store=store,
            registry=registry,
            routes=Routes(registry, SERVICES),
            batch_size=10,
            tracing=None,
            flush=lambda: None,
            watch=lambda point: None,
            clock=SimpleNamespace(now=lambda: 0.0),
        )
        self._receivers = {ORCHESTRATOR: NOBODY, "payments": NOBODY}
        self._epochs = dict.fromkeys(range(PARTITIONS), 1)
        self._owner = SimpleNamespace()  # type: ignore[assignment]
        self._calls = ExternalCalls(ImmediateCalls(), self.sent.append)
        self._owed = OwedCalls(store, self._calls, ())  # type: ignore[arg-type]
        self._offsets = SimpleNamespace(name={})  # type: ignore[assignment]

    def send(self, target: Any, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def bridge() -> Bridge:
    """A bridge that owns every shard."""
    return Bridge()


def shard_of(order_id: str) -> int:
    return partition_for(order_id.encode(), PARTITIONS)


def a_saga(order_id: str) -> Progress:
    return advance(PLACE_ORDER, None, OrderCreated(order_id=order_id), 0.0).progress


def test_a_shard_takes_along_what_its_timers_did_while_a_batch_was_stored(bridge: Bridge) -> None:
    """The next owner's timers do it: ours must not be stored in a batch of other shards."""
    mine, gone = a_saga("o-1"), a_saga("o-2")
    bridge._in_flight = {mine.saga_id: NOBODY, gone.saga_id: NOBODY}
    bridge._early = {
        saga.saga_id: [Handled(NO_BATCH, timer_ticket(1), (), (saga,))] for saga in (mine, gone)
    }
    assert shard_of("o-1") != shard_of("o-2")

    bridge.lose(frozenset([shard_of("o-2")]))

    assert [mine.saga_id] == [*bridge._early]


def test_the_outcome_of_a_call_waits_while_its_shard_is_another_workers(bridge: Bridge) -> None:
    """Its new owner makes the call again, with the same key: two may not write one payment."""
    for order_id in ("o-1", "o-2"):
        call = ("payments", "charge", order_id)
        bridge._outcomes.put(Outcome(PaymentSettled(order_id=order_id), call))
    epoch = bridge._epochs.pop(shard_of("o-2"))

    bridge._fill(bridge._open())

    assert ["o-1"] == [delivery.message.order_id for delivery in bridge.sent]

    bridge._batch = None
    bridge._epochs[shard_of("o-2")] = epoch
    bridge._outcomes.bring_back()
    bridge._fill(bridge._open())

    assert ["o-1", "o-2"] == [delivery.message.order_id for delivery in bridge.sent]


def test_a_batch_is_not_stored_by_a_retry_that_was_for_another(bridge: Bridge) -> None:
    """The batch that waited for the database was rolled back; this one still waits for actors."""
    bridge._batch = Batch(2, waiting=1)

    bridge.receiveMessage(WakeupMessage(None, CommitAgain(1)), NOBODY)
    bridge._closed = True  # it waits for the database by now, with a timer of its own
    bridge.receiveMessage(WakeupMessage(None, CommitAgain(1)), NOBODY)

    assert [] == bridge.done


def test_shards_are_not_claimed_for_a_reader_that_has_given_up_asking(bridge: Bridge) -> None:
    """They may be another worker's meanwhile, who would be thrown out."""
    asked: Future[Any] = Future()
    asked.cancel()

    bridge.receiveMessage(ShardsAssigned(frozenset([1]), asked), NOBODY)

    assert [] == bridge.done


def test_an_acknowledgement_of_a_rolled_back_batch_does_not_count_for_the_next(
    bridge: Bridge,
) -> None:
    """A lost shard rolls a batch back while its deliveries are out; their answers come later."""
    bridge._batch = present = Batch(2, waiting=2)
    saga = a_saga("o-1")

    bridge.receiveMessage(Handled(1, 0, (), (saga,)), NOBODY)
    bridge.receiveMessage(NotHandled(1, 0, "too late"), NOBODY)

    assert 2 == present.waiting
    assert {} == present.sagas
    assert 2 == bridge._report().stale_acks


def test_an_acknowledgement_of_the_open_batch_counts(bridge: Bridge) -> None:
    bridge._batch = present = Batch(2, waiting=2)

    bridge.receiveMessage(Handled(2, 0), NOBODY)

    assert 1 == present.waiting
    assert 0 == bridge._report().stale_acks


def test_records_that_were_read_together_are_handled_in_as_many_batches_as_it_takes(
    bridge: Bridge,
) -> None:
    """What was handed over is given back once the last of it is taken."""
    place = ("order-events", 3)
    records = [Record(*place, offset, b"k", b"{}") for offset in range(25)]
    handover = Handover(records, frozenset([3]))
    bridge._positions = {place: 0}
    bridge._queue.append((handover, records))
    batches: list[Any] = []
    for limit in (10, 10, 10):
        batch = Batch(len(batches) + 1)
        taken = bridge.take(batch, limit)
        batches.append((len(taken), batch.offsets[place], batch.sources))
        bridge._positions[place] = batch.offsets[place][1]

    assert [(10, (0, 10), []), (10, (10, 20), []), (5, (20, 25), [handover])] == batches
    assert not bridge._queue


@pytest.mark.parametrize(
    ("receivers", "sent_on"),
    [
        ([ORCHESTRATOR], 1),
        (["orders"], 0),
        ([ORCHESTRATOR, "orders"], 1),
    ],
)
def test_a_record_of_another_shard_is_sent_on_by_one_set_of_roles(
    bridge: Bridge, receivers: list[str], sent_on: int
) -> None:
    """Each set reads it, and each would find it twice in the other partition."""
    bridge._receivers = dict.fromkeys(receivers, NOBODY)
    routes = bridge._world.routes.of("order-events", OrderCreated)
    record = Record("order-events", (shard_of("o-1") + 1) % PARTITIONS, 3, None, b"{}")
    batch = bridge._open()

    item = Item(OrderCreated(order_id="o-1"), record.topic, record, routes)
    bridge._forward(batch, item, b"o-1")

    assert [shard_of("o-1")] * sent_on == [outgoing.partition for _, outgoing in batch.outbox]


def test_sets_that_claim_the_same_shards_in_turns_let_one_another_commit(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loss is a shard that has moved; after the second, the other may go on first."""
    waits: list[float] = []
    rolled_back: list[int] = []

    def lost(*_: Any) -> None:
        raise LostShardError("shard 0 was claimed by another worker")

    monkeypatch.setattr(bridge, "wakeupAfter", lambda after, _: waits.append(after.total_seconds()))
    monkeypatch.setattr(bridge, "_roll_back", lambda: rolled_back.append(bridge._lost))
    monkeypatch.setattr(bridge._world.store, "commit", lost)
    for number in range(5):
        bridge._batch = Batch(number, records=1)
        bridge._commit()

    assert [1] == rolled_back
    assert len(waits) == 4
    assert sorted(waits) == waits
    assert waits[0] < waits[-1]
