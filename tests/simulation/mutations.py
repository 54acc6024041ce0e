"""Plausible programming errors, patched into the code in memory."""

from collections.abc import Callable
from typing import Any

import attrs
from msgspec.structs import replace

import order_sagas.actors.sagas.compensation
import order_sagas.actors.sagas.saga_actor
from order_sagas.actors.entities import Payment, Reservation, StockLevel
from order_sagas.actors.messages import (
    OrderCancelled,
    OrderCompleted,
    RollbackPayment,
    RollbackStock,
)
from order_sagas.actors.protocol import NO_BATCH, Delivery, EvictSagas, RestoreEntities
from order_sagas.actors.sagas.compensation import Backward
from order_sagas.actors.sagas.coordinator import SagaCoordinator
from order_sagas.actors.sagas.replies import Events
from order_sagas.actors.sagas.saga_actor import SagaActor
from order_sagas.actors.sagas.state import BACKOFF, DONE, SENT, StepState
from order_sagas.actors.sagas.transition import UNDOING
from order_sagas.actors.services import payments as payment_module
from order_sagas.actors.services.notifications import NotificationService
from order_sagas.actors.services.payments import PaymentService, PaymentSettled
from order_sagas.actors.services.service import Service
from order_sagas.actors.services.stock import StockService
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.kafka import KafkaLogAdapter
from order_sagas.bridges.processor.outbox_publisher import OutboxPublisher
from order_sagas.bridges.processor.outcome_queue import OutcomeQueue
from order_sagas.bridges.processor.owed_calls import OwedCalls
from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.processor.shard_ownership import ShardOwnership
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.consumer_offsets import ConsumerOffsets
from order_sagas.bridges.storage.order_numbers import OrderNumbers
from order_sagas.bridges.storage.outbox_table import OutboxTable
from order_sagas.bridges.storage.store import Store


@attrs.frozen
class Mutation:
    """`put` patches the code with a `monkeypatch`; it must be caught within `seeds` runs. `workers`
    is the number of workers on Kafka in each run; None if the seed decides.
    """

    name: str
    put: Callable[[Any], None]
    seeds: int = 40
    workers: int | None = None

    def __str__(self) -> str:
        return self.name


MUTATIONS: list[Mutation] = []


Put = Callable[[Any], None]


def mutation(name: str, seeds: int = 40, workers: int | None = None) -> Callable[[Put], Put]:
    """Add a function to the list."""

    def add(put: Put) -> Put:
        MUTATIONS.append(Mutation(name, put, seeds, workers))
        return put

    return add


# --- services -----------------------------------------------------------------------------------


@mutation("a refund that overtakes its charge leaves no tombstone")
def _(monkeypatch):
    right = PaymentService.handlers[RollbackPayment]

    def wrong(self, payment, command, now):
        answer = right(self, payment, command, now)
        return replace(answer, writes=()) if payment is None else answer

    monkeypatch.setitem(PaymentService.handlers, RollbackPayment, wrong)


@mutation("a release that overtakes its reservation leaves no tombstone")
def _(monkeypatch):
    right = StockService.handlers[RollbackStock]

    def wrong(self, held, command, now):
        answer = right(self, held, command, now)
        return replace(answer, writes=()) if held is None else answer

    monkeypatch.setitem(StockService.handlers, RollbackStock, wrong)


@mutation("goods are reserved without a check of what is on hand")
def _(monkeypatch):
    right = StockService._reserve

    def wrong(self, command, now):
        levels = self._levels
        self._levels = {k: replace(v, on_hand=v.on_hand + 10**6) for k, v in levels.items()}
        answer = right(self, command, now)
        writes = [
            replace(w, on_hand=w.on_hand - 10**6) if isinstance(w, StockLevel) else w
            for w in answer.writes
        ]
        taken = {(w.warehouse, w.sku): w for w in writes if isinstance(w, StockLevel)}
        self._levels = levels | taken
        return replace(answer, writes=tuple(writes))

    monkeypatch.setattr(StockService, "_reserve", wrong)


@mutation("a second release gives the goods back a second time")
def _(monkeypatch):
    right = StockService.handlers[RollbackStock]

    def wrong(self, held, command, now):
        if held is not None and held.status == Reservation.RELEASED:
            held = replace(held, status=Reservation.HELD)
        return right(self, held, command, now)

    monkeypatch.setitem(StockService.handlers, RollbackStock, wrong)


@mutation("a second refund gives the money back a second time")
def _(monkeypatch):
    right = PaymentService.handlers[RollbackPayment]

    def wrong(self, payment, command, now):
        if payment is not None and payment.status == Payment.REFUNDED:
            return self._undo(payment, command, now)
        return right(self, payment, command, now)

    monkeypatch.setitem(PaymentService.handlers, RollbackPayment, wrong)


@mutation("each attempt of a charge has a different idempotency key")
def _(monkeypatch):
    right = payment_module._charge_of

    def wrong(payment, command):
        charge = right(payment, command)
        return charge._replace(key=f"{charge.key}/{command.attempt}")

    monkeypatch.setattr(payment_module, "_charge_of", wrong)


@mutation("an unknown outcome of a charge counts as a refusal")
def _(monkeypatch):
    right = PaymentService.handlers[PaymentSettled]

    def wrong(self, payment, outcome, now):
        if outcome.unknown:
            outcome = replace(outcome, unknown=False, code="no_answer")
        return right(self, payment, outcome, now)

    monkeypatch.setitem(PaymentService.handlers, PaymentSettled, wrong)


@mutation("a customer is notified of every copy of an order's end")
def _(monkeypatch):
    for message in (OrderCompleted, OrderCancelled):
        right = NotificationService.handlers[message]

        def wrong(self, known, event, now, right=right):
            return right(self, None, event, now)

        monkeypatch.setitem(NotificationService.handlers, message, wrong)


@mutation("a service keeps what it decided in a batch that was rolled back")
def _(monkeypatch):
    right = Service._deliver

    def wrong(self, delivery: Delivery, sender):
        self._batch = delivery.batch
        right(self, delivery, sender)

    monkeypatch.setattr(Service, "_deliver", wrong)


@mutation("the stock service does not restore its levels")
def _(monkeypatch):
    right = StockService.receive_other

    def wrong(self, message, sender):
        if not isinstance(message, RestoreEntities):
            right(self, message, sender)

    monkeypatch.setattr(StockService, "receive_other", wrong)


# --- sagas --------------------------------------------------------------------------------------


@mutation("steps are undone in the order of their completion")
def _(monkeypatch):
    right = Backward.go_back

    def wrong(self, sent):
        for i, step in enumerate(self.saga.rows):
            if self.steps[i].phase in order_sagas.actors.sagas.compensation.DONE_OR_UNKNOWN:
                if step.undo:
                    self.send_undo(i, step, 1)
                    sent.append(step.name)
                return
            if self.steps[i].phase in UNDOING:
                return
        self.stage = -1
        right(self, sent)

    monkeypatch.setattr(Backward, "go_back", wrong)


@mutation("a step that timed out is not undone")
def _(monkeypatch):
    monkeypatch.setattr(order_sagas.actors.sagas.compensation, "DONE_OR_UNKNOWN", (DONE,))
    right = Backward.compensate

    def wrong(self, step, code, reason):
        for i, state in enumerate(self.steps):
            if state.phase in (SENT, BACKOFF):
                self.steps[i] = StepState(0, state.attempt, self.now)
        return right(self, step, code, reason)

    monkeypatch.setattr(Backward, "compensate", wrong)


@mutation("a stale timer is not ignored")
def _(monkeypatch):
    right = Events.deadline_passed

    def wrong(self, wake):
        right(self, replace(wake, at=self.steps[wake.step].deadline))

    monkeypatch.setattr(Events, "deadline_passed", wrong)


@mutation("a reply that comes twice completes its step twice")
def _(monkeypatch):
    right = Events.reply

    def wrong(self, message):
        places = self.saga.answers.get(type(message), ())
        if places and places[0][1] == "done":
            i = self.place_of(message, places)[0]
            if self.steps[i].phase == DONE:
                return self.step_done(i, self.steps[i])
        return right(self, message)

    monkeypatch.setattr(Events, "reply", wrong)


@mutation("timers are not set again after a restart")
def _(monkeypatch):
    monkeypatch.setattr(order_sagas.actors.sagas.saga_actor, "wakes_of", lambda progress: [])


@mutation("an order that comes again starts its saga again")
def _(monkeypatch):
    right = SagaCoordinator._deliver

    def wrong(self, delivery):
        starts = type(delivery.message) in self._registry.started_by
        right(self, replace(delivery, state=None) if starts else delivery)

    monkeypatch.setattr(SagaCoordinator, "_deliver", wrong)


@mutation("saga actors are kept when their batch is rolled back", seeds=60)
def _(monkeypatch):
    right = SagaCoordinator.receiveMessage

    def wrong(self, message, sender):
        if not isinstance(message, EvictSagas):
            right(self, message, sender)

    monkeypatch.setattr(SagaCoordinator, "receiveMessage", wrong)


# --- the bridge and the store -------------------------------------------------------------------


@mutation("offsets are committed before the results of their records", seeds=60)
def _(monkeypatch):
    right = Store.commit

    def wrong(self, changes: Changes, now):
        right(self, Changes(offsets=changes.offsets, epochs=changes.epochs), now)
        return right(self, attrs.evolve(changes, offsets={}), now)

    monkeypatch.setattr(Store, "commit", wrong)


@mutation("outgoing records are published and not stored")
def _(monkeypatch):
    monkeypatch.setattr(
        OutboxTable, "add", lambda self, cursor, rows: list(range(1, len(rows) + 1))
    )


@mutation("outgoing records are deleted by the batch that stores them", 60, workers=2)
def _(monkeypatch):
    right = OutboxTable.add

    def wrong(self, db, outbox):
        ids = right(self, db, outbox)
        db.execute(self._delete, (self._db.many(ids, int),))
        return ids

    monkeypatch.setattr(OutboxTable, "add", wrong)


@mutation("a batch is committed although another worker has claimed its shards")
def _(monkeypatch):
    right = BatchProcessor.roll_back

    def wrong(self):
        batch = self._batch
        if batch is None or batch.waiting or self.state is State.OPEN:
            right(self)  # it was not to be committed yet
            return
        if self.state is State.COMMITTING:
            self._enter(State.IDLE)
        self._batch = None
        self._log.on_committed(batch, [0] * len(batch.outbox))
        self.proceed_soon()

    monkeypatch.setattr(BatchProcessor, "roll_back", wrong)


@mutation("calls that were pending at a crash are not made again")
def _(monkeypatch):
    def wrong(self, entity, shards, after, limit) -> list[Any]:
        return []

    monkeypatch.setattr(Store, "owed", wrong)


@mutation("numbers of a failed transaction are kept", seeds=60)
def _(monkeypatch):
    monkeypatch.setattr(OrderNumbers, "forget", lambda self: None)


# --- external calls -----------------------------------------------------------------------------


@mutation("a call that is under way is made again")
def _(monkeypatch):
    right = ExternalCalls.issue

    def wrong(self, calls):
        calls = list(calls)
        self.settled(call.id for call in calls)
        right(self, calls)

    monkeypatch.setattr(ExternalCalls, "issue", wrong)


@mutation("outcomes are lost with the batch that is rolled back", seeds=60)
def _(monkeypatch):
    monkeypatch.setattr(OutcomeQueue, "give_back", lambda self, outcomes: None)


@mutation("a call that a full pool refused is never made", seeds=60)
def _(monkeypatch):
    monkeypatch.setattr(ExternalCalls, "refused", property(lambda self: False))


@mutation("a duplicate command repeats the call in the batch that handles the outcome", seeds=60)
def _(monkeypatch):
    monkeypatch.setattr(Batch, "calls_to_make", lambda self: self.calls)


# --- several workers and Kafka ------------------------------------------------------------------


@mutation("a commit does not check if another worker has claimed its shards", workers=2)
def _(monkeypatch):
    monkeypatch.setattr(ConsumerOffsets, "check_epochs", lambda *_: lambda: None)


@mutation("a worker keeps the sagas of shards that are revoked, and their timers", workers=2)
def _(monkeypatch):
    def wrong(self, shards):
        for shard in shards:
            self.epochs.pop(shard, None)

    monkeypatch.setattr(ShardOwnership, "evict", wrong)


@mutation("shards are released while a batch with their records is open", 60, workers=2)
def _(monkeypatch):
    right = KafkaLogAdapter.between_batches

    def wrong(self):
        processor, state = self._host, self._host.state
        to_claim, self._to_claim = self._to_claim, []
        if state in (State.OPEN, State.COMMITTING):
            processor._state = State.IDLE
        right(self)
        processor._state, self._to_claim = state, to_claim
        if state is State.IDLE:
            right(self)

    monkeypatch.setattr(KafkaLogAdapter, "between_batches", wrong)


@mutation("an acknowledgement of a rolled back batch counts for the open one", workers=2)
def _(monkeypatch):
    right = BatchProcessor._handled

    def wrong(self, handled, sender):
        batch = self._batch
        if batch and self.state is State.OPEN and handled.batch != NO_BATCH:
            handled = replace(handled, batch=batch.number)
        right(self, handled, sender)

    monkeypatch.setattr(BatchProcessor, "_handled", wrong)


@mutation("sagas in flight are restored by the first claim only", workers=2)
def _(monkeypatch):
    right = ShardOwnership._restore_sagas

    def wrong(self, shards):
        if not self._restores:
            right(self, shards)

    monkeypatch.setattr(ShardOwnership, "_restore_sagas", wrong)


@mutation("after a rollback the shards are not claimed again", workers=2)
def _(monkeypatch):
    def wrong(self):
        for handover in self._queue.drop_unless(()):
            self._reader.done(handover)
        self._positions.clear()

    monkeypatch.setattr(KafkaLogAdapter, "on_rolled_back", wrong)


@mutation("a record that Kafka did not acknowledge counts as published", workers=2)
def _(monkeypatch):
    monkeypatch.setattr(Publication, "fail", lambda self, place, error: self.settle(1))


@mutation("what Kafka did not acknowledge is not published again", workers=2)
def _(monkeypatch):
    monkeypatch.setattr(OutboxPublisher, "_publish_again", lambda self: None)


@mutation("a record that is too large leaves no dead letter", workers=2)
def _(monkeypatch):
    def wrong(self, number, outgoing, error):
        self._unpublished.pop(number)
        self._published.append(number)

    monkeypatch.setattr(OutboxPublisher, "_too_large", wrong)


@mutation("what a former owner of a shard had not published stays in the outbox", workers=2)
def _(monkeypatch):
    monkeypatch.setattr(OutboxTable, "unpublished", lambda self, shards, *consumers: [])


@mutation("calls that a former owner of a shard owed are not made", workers=2)
def _(monkeypatch):
    right = OwedCalls.begin

    def wrong(self):
        if not hasattr(self, "begun"):
            self.begun = True
            right(self)

    monkeypatch.setattr(OwedCalls, "begin", wrong)


@mutation("a timer that fires early by a skewed clock is dropped", workers=2)
def _(monkeypatch):
    right = SagaActor._wake

    def wrong(self, wake):
        if self._context.clock.now() >= wake.at:
            right(self, wake)

    monkeypatch.setattr(SagaActor, "_wake", wrong)
