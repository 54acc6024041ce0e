"""The bridge: turns records into messages and messages into records, a batch at a time.

One batch is one transaction. The bridge takes records, delivers them, waits until every delivery
is acknowledged, and stores all that came of them together: entities, sagas, outgoing records and
the offsets. What is not committed did not happen: after a rollback the actors are restored from
the store.

Delivery is at least once; with the offsets compared and set in the same transaction, and with
idempotent participants, it is exactly once in effect. Order is kept per key.
"""

import time
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import structlog
from thespian.actors import ActorAddress, PoisonMessage, WakeupMessage

from order_sagas.actors.protocol import NO_BATCH, Ack, Ended, InternalMessage, Nack
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.errors import LostShardError, StoreUnavailableError, UnreadableRecordError
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.processor.deferral import LOOK_SECONDS
from order_sagas.bridges.processor.dispatch import Waves
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.log_adapter import FIRST_WAIT, LONGEST_WAIT
from order_sagas.bridges.processor.messages import (
    AskReport,
    Connect,
    RecordsWaiting,
    Report,
    Stop,
    Stopped,
)
from order_sagas.bridges.processor.order_mark import OrderMark
from order_sagas.bridges.processor.outcome_queue import Outcome
from order_sagas.bridges.processor.owed_calls import OwedCalls
from order_sagas.bridges.processor.pruner import Pruner
from order_sagas.bridges.processor.rates import Rates
from order_sagas.bridges.records.routing import ORCHESTRATOR, TO_DEAD_LETTERS
from order_sagas.bridges.storage.store import Changes

log = structlog.get_logger("bridge")


class Proceed:
    """To itself: begin the batch, or see whether there is one to begin."""


class CommitAgain:
    """To itself, after a pause: commit the batch of this number, if that is still the open one."""

    def __init__(self, number: int) -> None:
        self.number = number


class BeginAgain:
    """To itself, some time after a batch was broken off: restore from the store."""


class LookAgain:
    """To itself: see who is paused."""


class Drained:
    """To itself, at a stop: wait no longer for calls that run."""


class Prune:
    """To itself: delete a little of what is kept no longer."""


PROCEED = Proceed()

DRAIN_SECONDS = 5.0
"""How long a stop waits for external calls that run; a call that hangs is not waited for longer."""


class Bridge(Waves):
    """What the bridges to the different logs have in common."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        try:
            if type(message) is Ack:
                self._handled(message, sender)
            else:
                self._dispatch(message, sender)
        except StoreUnavailableError as error:
            if type(message) is Connect:
                self._fatal(error)
                return
            # While reading: nothing of the batch is stored, and its records will come again.
            self._world.outages.begin("database", self._world.clock.now())
            self._counts.last_error = str(error)
            log.warning("batch.waiting", error=str(error), retry_in=self._wait)
            self._begin_again_later()
        except LostShardError as error:
            self._counts.last_error = str(error)
            log.warning("batch.rolled_back", error=str(error))
            self._begin_again_later()
        except Exception as error:
            self._fatal(error)

    def _dispatch(self, message: Any, sender: ActorAddress) -> None:
        kind = type(message)
        if kind is Proceed:
            self._proceeding = False
            self._proceed()
        elif kind is RecordsWaiting:
            self._look_due = True
            self._proceed_soon()
        elif kind is Nack:
            self._not_handled(message)
        elif kind is InternalMessage:
            self._outcomes.put(Outcome(message.message))
            self._proceed_soon()
        elif kind is CallDone:
            self._call_done(message)
        elif kind is PoisonMessage:
            self._poisoned(message)
        elif kind is WakeupMessage and isinstance(message.payload, CommitAgain):
            # Not if the batch that waited was rolled back meanwhile: another has its own timer.
            batch = self._batch
            if self._closed and batch and batch.number == message.payload.number:
                self._commit()
        elif kind is WakeupMessage and isinstance(message.payload, BeginAgain):
            self._begin_again()
        elif kind is WakeupMessage and isinstance(message.payload, LookAgain):
            self._look_later = False
            self._look_due = True
            self._proceed_soon()
        elif kind is WakeupMessage and isinstance(message.payload, Drained):
            self._draining = False
            self._proceed_soon()
        elif kind is WakeupMessage and isinstance(message.payload, Prune):
            self._prune_due = True
            self._prune()
        elif kind is AskReport:
            self.send(sender, self._report())
        elif kind is Stop:
            self._stopping.append(sender)
            self._proceed_soon()
        elif kind is Connect:
            self._connect(message)
        else:
            self.receive_other(message, sender)

    def _connect(self, connect: Connect) -> None:
        self._receivers = dict(connect.services)
        self._give_up = connect.fatal
        if connect.coordinator:
            self._receivers[ORCHESTRATOR] = connect.coordinator
        world = connect.world()
        if connect.apart:
            world = attrs.evolve(world, tell=partial(self.send, self.myAddress))
        self._world = world
        self._calls = ExternalCalls(
            world.call_runner, self._tell_done, self._call_failed, world.call_capacity
        )
        here = [each for each in world.services if each.participant.name in self._receivers]
        self._owed = OwedCalls(world.store, self._calls, here)
        self._counts.since = now = self._world.clock.now()
        self._rates = Rates(now, 0, 0)
        keep, keep_keys = world.keep_finished, world.keep_idempotency_keys
        if connect.coordinator:
            self._mark = OrderMark(world.store)
        if (keep, keep_keys) != (None, None) and connect.coordinator:
            self._pruner = Pruner(world.store, world.clock, keep, keep_keys)
            self.wakeupAfter(timedelta(seconds=self._pruner.pause), Prune())
        self._look_at_pauses()
        self.open_log()

    def _report(self) -> Report:
        counts, now = self._counts, self._world.clock.now()
        begun_rate, ended_rate = self._rates.at(now, counts.begun, counts.ended)
        return Report(
            shards=sorted(self._epochs),
            in_flight=len(self._in_flight),
            batches=self._batches,
            records=counts.records,
            ended=counts.ended,
            dead_letters=counts.dead_letters,
            calls=self._calls.counts(),
            stale_acks=counts.stale_acks,
            seconds=now - counts.since,
            last_error=counts.last_error,
            begun_rate=begun_rate,
            ended_rate=ended_rate,
            pruned=self._pruner.orders if self._pruner else 0,
        )

    def _fatal(self, error: BaseException) -> None:
        self._away = True
        try:
            log.error("bridge.failed", error=str(error), kind=type(error).__name__, exc_info=error)
        finally:
            self._give_up(error)  # even if the line cannot be logged

    def _stop(self) -> None:
        self._away = True  # whatever still comes, nothing is begun
        self._world.flush()
        self.close_log()
        self._calls.close()
        self._world.store.close()
        waiting, self._stopping = self._stopping, []
        self._receivers = {}
        for asker in waiting:
            self.send(asker, Stopped())

    # --- the life of a batch ------------------------------------------------------------------

    def _proceed_soon(self) -> None:
        if not (self._proceeding or self._away) and self._batch is None:
            self._proceeding = True
            self.send(self.myAddress, PROCEED)

    def _proceed(self) -> None:
        if self._away:
            return
        if self._batch is not None:
            if not self._closed and not self._batch.tickets:
                self._fill(self._batch)
            return
        if self._is_ready_to_stop():
            self._stop()
            return
        if self._look_due:
            self._look_at_pauses()
        self._fill(self._open())

    def _look_at_pauses(self) -> None:
        self._look()
        if (self._ending or self.asks_for_pauses) and not self._look_later:
            self._look_later = True
            self.wakeupAfter(timedelta(seconds=LOOK_SECONDS), LookAgain())

    def _open(self) -> Batch:
        self._batches += 1
        batch = self._batch = Batch(self._batches)
        early, self._early = self._early, {}
        for of_one_saga in early.values():
            for handled in of_one_saga:
                batch.absorb(handled)
        return batch

    def _fill(self, batch: Batch) -> None:
        """Take what there is, and deliver it; a batch of timers may hold no record at all."""
        world = self._world
        tracing, starts = world.tracing, world.registry.started_by
        items: list[Item] = []
        outcomes: list[Item] = []
        if self._owed.waiting:
            self._remind()
        size = world.batch_size
        if self._outcomes:
            # At most half while records wait; of an odd number, the rest in turns.
            outcomes = self._take_outcomes(batch, (size + batch.number % 2) // 2)
        if not self._stopping:
            limit = size - len(outcomes)
            kept = self._unpark(batch, limit) if self._parked and limit else []
            # Deferred records come first, and nothing new while there are more of them.
            taken = () if batch.unparked or not limit else self.take(batch, limit)
            selective = self.selective
            for record in taken:
                batch.records += 1
                try:
                    message = world.wire.decode(record)
                    if tracing and record.headers and type(message) in starts:
                        message = tracing.received(message, record.headers)
                    routes = world.routes.of(record.topic, type(message))
                    if not routes:
                        raise UnreadableRecordError(
                            f"nobody on {record.topic} takes {type(message).__name__}"
                        )
                    if selective:
                        routes = self.routes_here(batch, record, message, routes)
                        if not routes:
                            continue
                except UnreadableRecordError as error:
                    # One role makes dead letters, or each would make one of the same record.
                    if (
                        self.routes_here(batch, record, None, TO_DEAD_LETTERS)
                        if selective
                        else ORCHESTRATOR in self._receivers
                    ):
                        self._dead_letter(batch, record, str(error))
                    continue
                item = Item(message, record.topic, record, routes)
                key = self.elsewhere(item)
                if key is None:
                    items.append(item)
                else:
                    self._forward(batch, item, key)
            if self._holding:
                items = self._park(batch, items)
            items = kept + items
        if self._outcomes:
            room = size - len(outcomes) - batch.records - len(batch.unparked)
            outcomes += self._take_outcomes(batch, room)
        items += outcomes
        self._deliver(batch, items, first=True)

    def _handled(self, handled: Ack, sender: ActorAddress) -> None:
        number = handled.batch
        if number == NO_BATCH:
            self._timer_handled(handled, sender)
            return
        batch = self._batch
        if batch is None or number != batch.number or self._closed or self._away:
            self._note_stale_ack(number)
            return
        if self._early:
            self._catch_up(batch, handled)
        saga = batch.absorb(handled)
        if saga is not None:
            self._note_saga(saga.saga_id, sender)
        batch.waiting -= 1
        if not batch.waiting:
            self._wave_done(batch)

    def _timer_handled(self, handled: Ack, sender: ActorAddress) -> None:
        if not self._is_current(handled, sender):
            return  # a saga that was released meanwhile
        saga_id = handled.writes[0].saga_id  # type: ignore[union-attr]
        self._note_saga(saga_id, sender)
        if self._away:
            return
        batch = self._batch
        if self._closed or (batch is not None and batch.tickets):
            # Timers that joined a batch under way would never let it end, if many are due.
            self._early.setdefault(saga_id, []).append(handled)
            return
        if batch is None:
            # A timer began this batch: let others that are due join it.
            batch = self._open()
            if not self._proceeding:
                self._proceeding = True
                self.send(self.myAddress, PROCEED)
        batch.absorb(handled)

    def _note_saga(self, saga_id: str, actor: ActorAddress) -> None:
        if saga_id not in self._in_flight:
            self._counts.begun += 1
        self._in_flight[saga_id] = actor

    def _catch_up(self, batch: Batch, handled: Ack) -> None:
        """What a timer of the same saga did before is stored with what came of this, not after."""
        for write in handled.writes:
            if type(write) is SagaState:
                for earlier in self._early.pop(write.saga_id, ()):
                    batch.absorb(earlier)

    # --- the end of a batch -------------------------------------------------------------------

    def _commit(self) -> None:
        batch = self._batch
        if batch is None:
            return
        if batch.empty and not self.untidy:
            # A commit that failed may have had nothing but published records to delete, and those
            # wait for another batch meanwhile; records may have come since then.
            retried, self._closed = self._closed, False
            self._batch = None
            self._world.flush()
            self.given_back(batch)
            self.between_batches()
            self._calls.settled(batch.calls_over())
            if self._is_ready_to_stop():
                self._stop()
                return
            self._prune()
            if self._early or batch.outcomes or batch.look_again or retried:
                self._proceed_soon()
            return
        self._closed = True
        world = self._world
        try:
            world.flush()
            world.watch("before commit")
            began = time.perf_counter()
            outbox = world.store.commit(self.changes(batch), world.clock.now())
            took = time.perf_counter() - began
            world.watch("after commit")
        except StoreUnavailableError as error:
            world.outages.begin("database", world.clock.now())
            self._counts.last_error = str(error)
            log.warning("commit.waiting", error=str(error), retry_in=self._wait)
            self.wakeupAfter(timedelta(seconds=self._wait), CommitAgain(batch.number))
            self._wait = min(self._wait * 2, LONGEST_WAIT)
            return
        except LostShardError as error:
            self._counts.last_error = str(error)
            log.warning("batch.rolled_back", error=str(error))
            self._lost += 1
            if self._lost == 1:
                self._roll_back()
            else:
                # Two that claim the same shards in turns would never let each other commit.
                self._away = True
                wait = min(FIRST_WAIT * 2 ** min(self._lost, 10), LONGEST_WAIT)
                self.wakeupAfter(timedelta(seconds=wait), BeginAgain())
            return
        except Exception as error:
            self._fatal(error)
            return
        self._database_is_back()
        self._lost = 0
        self._closed = False
        self._batch = None
        self.committed(batch, outbox)
        self.given_back(batch)
        ended = [saga.saga_id for saga in batch.sagas.values() if saga.ended]
        self._counts.ended += len(ended)
        self._counts.records += batch.records
        self._rates.note(world.clock.now(), self._counts.begun, self._counts.ended)
        if ended:
            for saga_id in ended:
                self._in_flight.pop(saga_id, None)
            self.send(self._receivers[ORCHESTRATOR], Ended(ended))
        self._observe(batch, took)
        if batch.outcomes:
            self._calls.settled(batch.calls_over())
        if batch.calls:
            self._calls.issue(batch.calls_to_make())
        self.between_batches()
        self._prune()
        if self._mark and self._batch is None and not self._away:
            self._mark.note(self._counts.begun, self._epochs)
        self._proceed_soon()

    def _observe(self, batch: Batch, took: float) -> None:
        """Tell those who watch; what is wrong with them is no reason to stop."""
        for observer in self._world.observers:
            try:
                observer.committed(batch, self._world, took)
            except Exception as error:
                log.error("observer.failed", error=str(error), exc_info=error)

    def _prune(self) -> None:
        """Prune a little if it is time to, and no batch is open that may have read what goes."""
        pruner = self._pruner
        idle = self._batch is None and not (self._away or self._stopping)
        if pruner is None or not self._prune_due or not idle:
            return
        self._prune_due = False
        seconds = pruner.pause
        try:
            seconds = pruner.work(self._epochs)
        finally:
            self.wakeupAfter(timedelta(seconds=seconds), Prune())

    def changes(self, batch: Batch) -> Changes:
        """All that the batch did, for the store."""
        return Changes(
            entities=batch.entities.values(),
            sagas=batch.sagas.values(),
            appended=batch.appended,
            left=batch.left,
            outbox=batch.outbox,
            offsets=batch.offsets,
            epochs=self._epochs,
            parked=batch.parked,
            unparked=batch.unparked,
        )

    # --- external calls -----------------------------------------------------------------------

    def _tell_done(self, done: CallDone) -> None:
        """See `ExternalCalls`; `tell` is looked up each time, since the world may be replaced."""
        self._world.tell(done)

    def _call_done(self, done: CallDone) -> None:
        self._calls.finished(done)
        if done.message is not None:
            self._outcomes.put(Outcome(done.message, done.id, bool(done.failure)))
        self._proceed_soon()

    def _call_failed(self, done: CallDone) -> None:
        for observer in self._world.observers:
            try:
                observer.call_failed(done)
            except Exception as error:
                log.error("observer.failed", error=str(error), exc_info=error)

    def _remind(self) -> None:
        """Queue a batch of reminders of the calls that the database says are owed."""
        room = self._world.batch_size - len(self._outcomes)
        if room > 0 and not self._stopping:
            for reminder in self._owed.next(room, [*self._epochs], self._holding):
                self._outcomes.put(Outcome(reminder))

    def _is_ready_to_stop(self) -> bool:
        """Whether nothing is under way that should be stored before the end.

        Calls that run are waited for, for a while, so that what they did is known: a mail that was
        sent and not stored as sent is sent again by the next start.
        """
        if not self._stopping or self._early:
            return False
        if self._draining is None:
            self._draining = True
            self._calls.stop()
            if self._calls.running:
                log.info("external_calls.draining", count=self._calls.running)
                self.wakeupAfter(timedelta(seconds=DRAIN_SECONDS), Drained())
        if self._draining and not self._calls.running and not self._outcomes:
            self._draining = False
        return not self._draining

    # --- rollback -----------------------------------------------------------------------------

    def _roll_back(self) -> None:
        """Forget the batch, and every actor's memory of what did not happen; begin again."""
        batch, self._batch = self._batch, None
        self._closed = False
        self._early = {}
        for observer in self._world.observers:
            observer.rolled_back()
        self.lose_all()
        if batch:
            self._outcomes.give_back(batch.outcomes)
            self.given_back(batch)
        self.rolled_back()

    def _begin_again_later(self) -> None:
        self._away = True
        self.wakeupAfter(timedelta(seconds=self._wait), BeginAgain())
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def _begin_again(self) -> None:
        self._away = False
        self._roll_back()

    def _database_is_back(self) -> None:
        self._wait = FIRST_WAIT
        if self._world.outages:
            self._world.outages.end("database", self._world.clock.now())
