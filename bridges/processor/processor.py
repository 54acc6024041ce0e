"""The batch processor: turns records into messages and messages into records, a batch at a time.

One batch is one transaction. The processor takes records, delivers them, waits until every delivery
is acknowledged, and commits all results together: entities, sagas, outgoing records and offsets.
What is not committed did not happen: after a rollback the actors are restored from the store.

Delivery is at least once; with the offsets compared and set in the same transaction, and with
idempotent participants, it is exactly once in effect. Order is kept per key.
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import structlog
from thespian.actors import Actor, ActorAddress, PoisonMessage, WakeupMessage

from order_sagas.actors.protocol import NO_BATCH, Ack, Delivery, Ended, InternalMessage, Nack
from order_sagas.bridges.errors import LostShardError, StoreUnavailableError, UnstorableError
from order_sagas.bridges.processor.approval_gate import ApprovalGate
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.counts import Counts
from order_sagas.bridges.processor.dead_letters import DeadLetters
from order_sagas.bridges.processor.decoder import Decoder
from order_sagas.bridges.processor.deferral import Deferral
from order_sagas.bridges.processor.dispatch import Dispatcher
from order_sagas.bridges.processor.due_work import DueWork
from order_sagas.bridges.processor.early_replies import EarlyReplies
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.log_adapter import AdapterFactory, LogAdapter
from order_sagas.bridges.processor.messages import (
    AskReport,
    Connect,
    RecordsWaiting,
    Report,
    Stop,
    Stopped,
)
from order_sagas.bridges.processor.observers import Observers
from order_sagas.bridges.processor.order_mark import OrderMark
from order_sagas.bridges.processor.outcome_queue import Outcome, OutcomeQueue
from order_sagas.bridges.processor.owed_calls import OwedCalls
from order_sagas.bridges.processor.reader import BatchReader
from order_sagas.bridges.processor.refused_writes import RefusedWrites
from order_sagas.bridges.processor.retry_waits import RetryWaits
from order_sagas.bridges.processor.scheduler import Scheduler
from order_sagas.bridges.processor.shard_ownership import ShardOwnership
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.processor.shutdown import Shutdown
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.processor.timer_acks import TimerAcks
from order_sagas.bridges.processor.wakeups import BeginAgain, CommitAgain, Drained, Proceed, Prune
from order_sagas.bridges.records.routing import ORCHESTRATOR

log = structlog.get_logger("processor")


PROCEED = Proceed()
OPEN = State.OPEN  # compared with for each acknowledgement


class BatchProcessor(Actor):
    """Opens, commits and rolls back batches; all else is done by its parts.

    It reads and writes the log through a `LogAdapter`, whose `ProcessorHost` it is. The parts are
    created on `Connect`, in the process and thread where the processor runs.
    """

    context: ProcessorContext
    ownership: ShardOwnership
    _give_up: Callable[[BaseException], None]
    _calls: ExternalCalls
    _owed: OwedCalls
    _log: LogAdapter
    _deferral: Deferral
    _dispatcher: Dispatcher
    _reader: BatchReader
    _early_replies: EarlyReplies
    _due: DueWork
    _refused: RefusedWrites
    _observers: Observers
    _shutdown: Shutdown

    def __init__(self) -> None:
        super().__init__()
        self.receivers: dict[str, ActorAddress] = {}
        self.counts = Counts()
        self._state = State.IDLE
        self._batch: Batch | None = None
        """The batch that is open or being committed; if AWAY, perhaps one to be rolled back."""
        self._batches = 0
        self._last_stale = NO_BATCH
        """The newest batch for which a stale acknowledgement was logged."""
        self._timer_acks = TimerAcks()
        self._outcomes = OutcomeQueue()
        self._proceed_pending = False
        self._waits = RetryWaits()
        self._mark: OrderMark | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle one message. An error that is no outage stops the processor: `Connect.fatal`."""
        try:
            if type(message) is Ack:
                self._handled(message, sender)
            else:
                self._dispatch(message, sender)
        except StoreUnavailableError as error:
            if type(message) is Connect:
                self._fatal(error)
                return
            # While reading: nothing of the batch is stored, and its records are read again.
            wait = self._database_is_away(error)
            log.warning("batch.waiting", error=str(error), retry_in=wait)
            self._begin_again_after(wait)
        except LostShardError as error:
            self.counts.last_error = str(error)
            log.warning("batch.rolled_back", error=str(error))
            self._begin_again_after(self._waits.database_failed())
        except Exception as error:
            self._fatal(error)

    def _dispatch(self, message: Any, sender: ActorAddress) -> None:
        kind = type(message)
        if kind is Proceed:
            self._proceed_pending = False
            self._proceed()
        elif kind is RecordsWaiting:
            self._deferral.look_due = True
            self.proceed_soon()
        elif kind is Nack:
            self._not_handled(message)
        elif kind is InternalMessage:
            self._outcomes.put(Outcome(message.message))
            self.proceed_soon()
        elif kind is CallDone:
            self._call_done(message)
        elif kind is PoisonMessage:
            self._poisoned(message)
        elif kind is AskReport:
            self.send(sender, self._report())
        elif kind is Stop:
            self._shutdown.askers.append(sender)
            self.proceed_soon()
        elif kind is Connect:
            self._connect(message)
        elif kind is not WakeupMessage or not self._woken(message.payload):
            self._log.receive(message, sender)

    def _woken(self, payload: Any) -> bool:
        """Handle the payload of a wakeup; return False if it is the log adapter's."""
        kind = type(payload)
        if kind is CommitAgain:
            # Not if that batch was rolled back meanwhile: a later one has its own wakeup.
            batch = self._batch
            if self._state is State.COMMITTING and batch and batch.number == payload.number:
                self._commit(batch)
        elif kind is BeginAgain:
            self._begin_again()
        elif kind is Drained:
            self._shutdown.drained()
            self.proceed_soon()
        elif self._due.woken(payload):
            if kind is Prune:
                self._prune()
            else:
                self.proceed_soon()
        else:
            return False
        return True

    def _connect(self, connect: Connect) -> None:
        self.receivers.update(connect.services)
        self._give_up = connect.fatal
        if connect.coordinator:
            self.receivers[ORCHESTRATOR] = connect.coordinator
        context = connect.open_context()
        if connect.apart:
            context = attrs.evolve(context, tell=partial(self.send, self.myAddress))
        self._make_parts(context, connect.adapter)
        self.counts.begin(context.clock.now())
        if connect.coordinator:
            self._mark = OrderMark(context.store)
        self._due.begin()
        self._log.open()

    def _make_parts(self, context: ProcessorContext, make_adapter: AdapterFactory) -> None:
        self.context = context
        receivers, send = self.receivers, self.send
        ownership = self.ownership = ShardOwnership(context, receivers, send)
        adapter = self._log = make_adapter(self)
        dead_letters = DeadLetters(context, self.counts, adapter.emit)
        observers = self._observers = Observers(context, context.observers)
        calls = self._calls = ExternalCalls(
            context.call_runner, context.tell, observers.call_failed, context.call_capacity
        )
        self._shutdown = Shutdown(calls, self._outcomes, self._timer_acks, self.wake_up)
        here = [each for each in context.services if each.participant.name in receivers]
        self._owed = OwedCalls(context.store, calls, here)
        parts = SharedParts(context, ownership, receivers, adapter, dead_letters, Decoder(context))
        deferral = self._deferral = Deferral(parts, self._outcomes.resume)
        limits = context.approval_above
        gate = ApprovalGate(context.store.db, context.clock, limits) if limits else None
        self._reader = BatchReader(parts, deferral, self._outcomes, calls, self._owed, gate)
        early = self._early_replies = EarlyReplies(parts)
        self._due = DueWork(parts, deferral, early, Scheduler(context, ownership), self.wake_up)
        self._refused = RefusedWrites(context.store)
        self._dispatcher = Dispatcher(parts, deferral, early, send, self._commit, self._refused)

    def _report(self) -> Report:
        return self.counts.report(
            self.context.clock.now(),
            batches=self._batches,
            shards=sorted(self.ownership.epochs),
            in_flight=len(self.ownership.in_flight),
            calls=self._calls.counts(),
            pruned=self._due.pruned,
            early_replies=self._early_replies.count,
        )

    def _fatal(self, error: BaseException) -> None:
        self._enter(State.STOPPED)
        try:
            log.error(
                "processor.failed", error=str(error), kind=type(error).__name__, exc_info=error
            )
        finally:
            self._give_up(error)  # even if the line cannot be logged

    def _stop(self) -> None:
        self._enter(State.STOPPED)
        self.context.flush()
        self._log.close()
        self._calls.close()
        self.context.store.close()
        self.receivers.clear()
        while self._shutdown.askers:
            self.send(self._shutdown.askers.pop(0), Stopped())

    # --- the life of a batch ------------------------------------------------------------------

    def proceed_soon(self) -> None:
        """Begin a batch soon, if none is open."""
        if self._state is State.IDLE and not self._proceed_pending:
            self._proceed_pending = True
            self.send(self.myAddress, PROCEED)

    def _proceed(self) -> None:
        if self._state is State.OPEN:
            assert self._batch
            if not self._batch.tickets:
                self._fill(self._batch)
            return
        if self._state is not State.IDLE:
            return
        if self._shutdown.is_due():
            self._stop()
            return
        if self._deferral.look_due:
            self._due.look_at_pauses()
        self._fill(self._open())

    def _open(self) -> Batch:
        self._enter(State.OPEN)
        self._batches += 1
        batch = self._batch = Batch(self._batches)
        self._timer_acks.add_to(batch)
        return batch

    def _fill(self, batch: Batch) -> None:
        """Read the items of the batch and deliver them; a batch of timers may have none."""
        stopping = self._shutdown.requested
        self._due.add_to(batch, stopping=stopping)
        items = self._reader.read(batch, stopping=stopping)
        self._dispatcher.deliver(batch, items, first=True)

    def _handled(self, handled: Ack, sender: ActorAddress) -> None:
        number = handled.batch
        if number == NO_BATCH:
            self._timer_handled(handled, sender)
            return
        batch = self._batch
        if self._state is not OPEN or batch is None or number != batch.number:
            self._note_stale_ack(number)
            return
        if self._timer_acks.by_saga:
            self._timer_acks.catch_up(batch, handled)
        saga = batch.absorb(handled)
        if handled.early:
            self._early_replies.keep(batch, batch.tickets[handled.ticket].item, handled.early)
            self._due.watch_early_replies()
        if saga is not None:
            self._note_saga(saga.saga_id, sender)
        batch.waiting -= 1
        if not batch.waiting:
            self._dispatcher.round_over(batch)

    def _not_handled(self, failed: Nack) -> None:
        batch = self._batch
        if self._state is not OPEN or batch is None or failed.batch != batch.number:
            self._note_stale_ack(failed.batch)
            return
        self._dispatcher.not_handled(batch, failed)

    def _poisoned(self, poison: PoisonMessage) -> None:
        delivery, batch = poison.poisonMessage, self._batch
        if isinstance(delivery, Delivery) and batch and delivery.batch == batch.number:
            if self._state is not OPEN:
                self._note_stale_ack(delivery.batch)
                return
            error = str(poison.details or "the actor failed")
            self._dispatcher.failed(batch, delivery, error)

    def _note_stale_ack(self, number: int) -> None:
        """Count an acknowledgement for a batch that was rolled back; log one of each batch."""
        self.counts.stale_acks += 1
        if number > self._last_stale:
            self._last_stale = number
            log.info("batch.stale_acknowledgement", batch=number, current=self._batches)

    def _timer_handled(self, handled: Ack, sender: ActorAddress) -> None:
        if not self.ownership.is_current(handled, sender):
            return  # the saga was released meanwhile
        saga_id = handled.writes[0].saga_id  # type: ignore[union-attr]
        self._note_saga(saga_id, sender)
        state, batch = self._state, self._batch
        if state is State.AWAY or state is State.STOPPED:
            return
        if state is State.COMMITTING or (batch is not None and batch.tickets):
            self._timer_acks.keep(saga_id, handled)
            return
        if batch is None:
            # This timer begins a batch: let other due timers join it.
            batch = self._open()
            if not self._proceed_pending:
                self._proceed_pending = True
                self.send(self.myAddress, PROCEED)
        batch.absorb(handled)

    def _note_saga(self, saga_id: str, actor: ActorAddress) -> None:
        in_flight = self.ownership.in_flight
        if saga_id not in in_flight:
            self.counts.begun += 1
        in_flight[saga_id] = actor

    # --- the end of a batch -------------------------------------------------------------------

    def _commit(self, batch: Batch) -> None:
        """Commit the batch, all of whose rounds are over; on an outage, try again later."""
        adapter = self._log
        if batch.empty and not adapter.needs_commit:
            self._close_empty(batch)
            return
        self._enter(State.COMMITTING)
        context = self.context
        try:
            context.flush()
            context.watch("before commit")
            changes = adapter.changes(batch, batch.changes(self.ownership.epochs))
            began = time.perf_counter()
            outbox = context.store.commit(changes, context.clock.now())
            took = time.perf_counter() - began
            context.watch("after commit")
        except StoreUnavailableError as error:
            wait = self._database_is_away(error)
            log.warning("commit.waiting", error=str(error), retry_in=wait)
            self.wake_up(wait, CommitAgain(batch.number))
        except LostShardError as error:
            self.counts.last_error = str(error)
            log.warning("batch.rolled_back", error=str(error))
            if wait := self._waits.claim_lost():
                self._begin_again_after(wait)
            else:
                self.roll_back()
        except UnstorableError as error:
            self._refused.find(batch, error)
            self.counts.last_error = str(error)
            log.warning("batch.repeated", error=str(error))
            self.roll_back()
        except Exception as error:
            self._fatal(error)
        else:
            self._committed(batch, outbox, took)

    def _close_empty(self, batch: Batch) -> None:
        """End a batch that has nothing to store."""
        # A failed commit may have had only published records to delete. They are deleted with
        # this batch, and new records may have arrived meanwhile.
        retried = self._state is State.COMMITTING
        self._close_batch()
        self.context.flush()
        self._log.given_back(batch)
        self._log.between_batches()
        self._calls.settled(batch.calls_over())
        if self._shutdown.is_due():
            self._stop()
            return
        self._prune()
        if self._timer_acks.by_saga or batch.outcomes or batch.look_again or retried:
            self.proceed_soon()

    def _committed(self, batch: Batch, outbox: list[int], took: float) -> None:
        """Do what follows the commit, whose transaction took `took` seconds."""
        adapter = self._log
        self.database_is_back()
        self._waits.committed()
        if batch.refused:
            self._refused.committed(batch)
        self._close_batch()
        adapter.on_committed(batch, outbox)
        adapter.given_back(batch)
        ended = [saga for saga in batch.sagas.values() if saga.ended]
        self.counts.records += batch.records
        if ended:
            for saga in ended:
                self.counts.saga_ended(saga)
                self.ownership.in_flight.pop(saga.saga_id, None)
            self.send(self.receivers[ORCHESTRATOR], Ended([saga.saga_id for saga in ended]))
        self.counts.note(self.context.clock.now())
        self._observers.committed(batch, took)
        if batch.outcomes:
            self._calls.settled(batch.calls_over())
        if batch.calls:
            self._calls.issue(batch.calls_to_make())
        adapter.between_batches()
        self._prune()
        if self._mark and self._state is State.IDLE:
            self._mark.note(self.counts.begun, self.ownership.epochs)
        self.proceed_soon()

    def _prune(self) -> None:
        """Prune a small part if it is due and no batch is open."""
        if self._state is State.IDLE and not self._shutdown.requested:
            self._due.prune()

    def _call_done(self, done: CallDone) -> None:
        self._calls.finished(done)
        if done.message is not None:
            self._outcomes.put(Outcome(done.message, done.id, bool(done.failure)))
        self.proceed_soon()

    # --- shards, and rollback -----------------------------------------------------------------

    def gain(self, epochs: Mapping[int, int]) -> None:
        """Own these claimed shards, and restore their actors. Call it between batches."""
        self.ownership.restore(epochs)
        self._outcomes.bring_back()
        self._owed.begin()
        self.proceed_soon()
        self._due.shards_gained()

    def lose(self, shards: frozenset[int]) -> None:
        """Own these shards no longer, and release their sagas. Call it between batches."""
        self.ownership.evict(shards)
        self._timer_acks.drop_unless(self.ownership.in_flight)
        self._due.shards_lost()

    def roll_back(self) -> None:
        """Drop the batch, evict all actors, and claim the shards again.

        Outcomes of calls are kept, since the shards may be gained again.
        """
        batch = self._batch
        self._due.rolled_back()
        if self._state is State.OPEN or self._state is State.COMMITTING:
            self._close_batch()
        self._batch = None
        self._timer_acks.drop_unless(())
        self._observers.rolled_back()
        self._outcomes.drop_reminders()
        self.ownership.evict_all()
        if batch:
            self._outcomes.give_back(batch.outcomes)
            self._log.given_back(batch)
        self._log.on_rolled_back()

    def _begin_again_after(self, seconds: float) -> None:
        if self._state is not State.STOPPED:
            self._enter(State.AWAY)
            self.wake_up(seconds, BeginAgain())

    def _begin_again(self) -> None:
        if self._state is State.AWAY:
            self._enter(State.IDLE)
            self.roll_back()

    def _database_is_away(self, error: StoreUnavailableError) -> float:
        """Note an outage of the database; return the seconds to wait before the next attempt."""
        self.context.outages.begin("database", self.context.clock.now())
        self.counts.last_error = str(error)
        self._log.on_database_away()
        return self._waits.database_failed()

    def database_is_back(self) -> None:
        """Note that the database answered, which ends its outage."""
        self._waits.database_answered()
        if self.context.outages:
            self.context.outages.end("database", self.context.clock.now())

    # --- the state ----------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state of the processor."""
        return self._state

    @property
    def has_batch(self) -> bool:
        """Whether a batch is open, or was broken off and is not rolled back yet."""
        return self._batch is not None

    def _enter(self, state: State) -> None:
        if not self._state.may_become(state):
            raise RuntimeError(f"a processor that is {self._state.value} cannot be {state.value}")
        self._state = state

    def _close_batch(self) -> None:
        self._enter(State.IDLE)
        self._batch = None

    def wake_up(self, seconds: float, payload: Any) -> None:
        """Send itself a WakeupMessage with this payload after `seconds`."""
        self.wakeupAfter(timedelta(seconds=seconds), payload)
