"""The bridge: turns records into messages and messages into records, a batch at a time.

One batch is one transaction. The bridge takes records, delivers them, waits until every delivery
is acknowledged, and stores all that came of them together: entities, sagas, outgoing records and
the offsets. What is not committed did not happen: after a rollback the actors are restored from
the store.

Delivery is at least once; with the offsets compared and set in the same transaction, and with
idempotent participants, it is exactly once in effect. Order is kept per key.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

import structlog
from thespian.actors import Actor, ActorAddress, PoisonMessage, WakeupMessage

from actors.delivery import (
    Delivery,
    Ended,
    Handled,
    Inject,
    NotHandled,
    Release,
    Restore,
    RestoreEntities,
    timer_ticket,
)
from actors.entities import Entity
from actors.messages import Message
from actors.sagas.progress import Progress, saga_id_of
from bridges.batch import Batch, Item, Ticket
from bridges.dead_letters import dead_letter
from bridges.errors import LostShardError, StoreUnavailableError, UnreadableRecordError
from bridges.partitions import partition_for
from bridges.record import Outgoing, Record
from bridges.routes import ORCHESTRATOR
from bridges.store.store import Changes
from bridges.world import Connect, RecordsWaiting, Stop, Stopped, World

log = structlog.get_logger("bridge")

TRIES = 2
"""How often a handler may fail on a record before the record is a dead letter."""
RESTORE_AT_ONCE = 1000
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0


class Proceed:
    """To itself: begin the batch, or see whether there is one to begin."""


class CommitAgain:
    """To itself, some time after the database was away."""


class BeginAgain:
    """To itself, some time after a batch was broken off: restore from the store."""


PROCEED = Proceed()


class Bridge(Actor):
    """What the bridges to the different logs have in common."""

    _world: World
    _give_up: Callable[[BaseException], None]

    def __init__(self) -> None:
        super().__init__()
        self._receivers: dict[str, ActorAddress] = {}
        self._epochs: dict[int, int] = {}
        """The shards that are ours, each with the epoch in which it was claimed."""
        self._batch: Batch | None = None
        self._batches = 0
        self._closed = False
        """Whether the batch has all its answers and waits for the database."""
        self._early: list[Handled] = []
        """What timers did while the batch was closed."""
        self._injected: list[Message] = []
        self._in_flight: dict[str, ActorAddress | int] = {}
        """Every saga in flight: its address, or the number of its restore until it has answered."""
        self._restores = 0
        self._proceeding = False
        self._stopping: list[ActorAddress] = []
        self._wait = FIRST_WAIT
        self._away = False
        """Whether the batch was broken off, and its actors wait to be restored."""

    # --- what each kind of log does its own way -----------------------------------------------

    def open_log(self) -> None:
        """The world is there: own shards, and start to be told of records."""
        raise NotImplementedError

    def close_log(self) -> None:
        """Nothing is under way any more: let go of the log."""

    def take(self, batch: Batch) -> Sequence[Record]:
        """The next records, at most a batch, with their offsets noted in it."""
        raise NotImplementedError

    def elsewhere(self, item: Item) -> bytes | None:
        """The key by which to send a record on, if another worker owns what it is about."""
        return None

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Note a record to be written; answers whether this batch handles it too."""
        raise NotImplementedError

    def committed(self, batch: Batch, outbox: list[int]) -> None:
        """The batch is stored; `outbox` are the ids its outgoing records got."""

    def given_back(self, batch: Batch) -> None:
        """The batch is over, stored or not: its records are out of our hands."""

    def between_batches(self) -> None:
        """No batch is open: the moment to take over shards, or to give them up."""

    @property
    def untidy(self) -> bool:
        """Whether there is something to store though nothing happened."""
        return False

    def rolled_back(self) -> None:
        """No shard is ours: claim them again, and read on from what is stored."""
        raise NotImplementedError

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """A message that only one kind of bridge knows."""

    # --- messages -----------------------------------------------------------------------------

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        try:
            self._receive(message, sender)
        except StoreUnavailableError as error:
            if type(message) is Connect:
                self._fatal(error)
                return
            # While reading: nothing of the batch is stored, and its records will come again.
            self._world.outages.begin("database", self._world.clock.now())
            log.warning("batch.waiting", error=str(error), retry_in=self._wait)
            self._begin_again_later()
        except LostShardError as error:
            log.warning("batch.rolled_back", error=str(error))
            self._begin_again_later()
        except Exception as error:
            self._fatal(error)

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

    def _receive(self, message: Any, sender: ActorAddress) -> None:
        kind = type(message)
        if kind is Handled:
            self._handled(message, sender)
        elif kind is Proceed:
            self._proceeding = False
            self._proceed()
        elif kind is RecordsWaiting:
            self._proceed_soon()
        elif kind is NotHandled:
            self._not_handled(message.ticket, message.error)
        elif kind is Inject:
            self._injected.append(message.message)
            self._proceed_soon()
        elif kind is PoisonMessage:
            self._poisoned(message)
        elif kind is WakeupMessage and isinstance(message.payload, CommitAgain):
            self._commit()
        elif kind is WakeupMessage and isinstance(message.payload, BeginAgain):
            self._begin_again()
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
        self._world = connect.world()
        self.open_log()

    def _fatal(self, error: BaseException) -> None:
        log.error("bridge.failed", error=str(error), kind=type(error).__name__, exc_info=error)
        self._away = True
        self._give_up(error)

    def _proceed_soon(self) -> None:
        if not (self._proceeding or self._away) and self._batch is None:
            self._proceeding = True
            self.send(self.myAddress, PROCEED)

    # --- the life of a batch ------------------------------------------------------------------

    def _proceed(self) -> None:
        if self._away:
            return
        if self._batch is not None:
            if not self._closed and not self._batch.tickets:
                self._fill(self._batch)
            return
        if self._stopping and not self._early:
            self._stop()
            return
        self._fill(self._open())

    def _open(self) -> Batch:
        self._batches += 1
        batch = self._batch = Batch(self._batches)
        early, self._early = self._early, []
        for handled in early:
            batch.absorb(handled)
        return batch

    def _fill(self, batch: Batch) -> None:
        """Take what there is, and deliver it; a batch of timers may hold no record at all."""
        world = self._world
        items: list[Item] = []
        if not self._stopping:
            for record in self.take(batch):
                batch.records += 1
                try:
                    message = world.wire.decode(record)
                    routes = world.routes.of(record.topic, type(message))
                    if not routes:
                        raise UnreadableRecordError(
                            f"nobody on {record.topic} takes {type(message).__name__}"
                        )
                except UnreadableRecordError as error:
                    # Each role reads every topic; one of them sees to what nobody can read.
                    if ORCHESTRATOR in self._receivers:
                        self._dead_letter(batch, record, str(error))
                    continue
                item = Item(message, record.topic, record, routes)
                key = self.elsewhere(item)
                if key is None:
                    items.append(item)
                else:
                    self._forward(batch, record, key)
            batch.injected, self._injected = self._injected, []
            items += [Item(m, "", None, world.routes.inside(type(m))) for m in batch.injected]
        self._deliver(batch, items)

    def _forward(self, batch: Batch, record: Record, key: bytes) -> None:
        """Send a record on to the partition where its entity lives, whole."""
        partition = partition_for(key, self._world.store.partitions)
        outgoing = Outgoing(record.topic, partition, key, record.value, record.headers)
        self.place(batch, outgoing, record.partition)

    def _deliver(self, batch: Batch, items: list[Item]) -> None:
        """Send a wave; when nobody is there to answer it, the wave is over at once."""
        now = self._world.clock.now()
        states = self._load(batch, items)
        receivers, in_flight = self._receivers, self._in_flight
        for item in items:
            message = item.message
            for route in item.routes:
                receiver = receivers.get(route.receiver)
                if receiver is None:
                    continue  # a role of another process
                if route.entity is None:
                    known = in_flight.get(message.saga_id)
                    if known is not None and type(known) is not int:
                        receiver = known
                ticket = len(batch.tickets)
                batch.tickets.append(Ticket(item, route))
                batch.waiting += 1
                state = states.get((route.entity, message.order_id))
                self.send(receiver, Delivery(batch.number, ticket, message, state, now))
        if not batch.waiting:
            self._wave_done(batch)

    def _load(self, batch: Batch, items: list[Item]) -> dict[Any, Any]:
        """What the store knows of the entities in a wave, in one query for each table."""
        wanted: dict[type[Entity] | None, dict[str, None]] = {}
        for item in items:
            order_id = item.message.order_id
            for route in item.routes:
                entity = route.entity
                known = (
                    self._is_in_flight(item.message)
                    if entity is None
                    else (entity, order_id) in batch.entities
                )
                if not known and route.receiver in self._receivers:
                    wanted.setdefault(entity, {})[order_id] = None
        if not wanted:
            return {}
        store = self._world.store
        numbers = store.numbers(order_id for ids in wanted.values() for order_id in ids)
        found: dict[Any, Any] = {}
        for entity, order_ids in wanted.items():
            nos = [numbers[order_id] for order_id in order_ids if order_id in numbers]
            if not nos:
                continue
            if entity is None:
                for saga in store.load_sagas(nos).values():
                    found[None, saga.order_id] = saga
            else:
                for order_id, state in store.load(entity, nos).items():
                    found[entity, order_id] = state
        return found

    def _is_in_flight(self, message: Message) -> bool:
        if message.saga_id:
            return message.saga_id in self._in_flight
        registry = self._world.registry
        saga = registry.started_by.get(type(message))
        names = (saga.name,) if saga else registry.answered_by.get(type(message), ())
        return any(saga_id_of(name, message.order_id) in self._in_flight for name in names)

    def _handled(self, handled: Handled, sender: ActorAddress) -> None:
        batch = self._batch
        if handled.ticket < 0 and not self._is_current(handled, sender):
            return  # a saga that was released meanwhile
        for write in handled.writes:
            if type(write) is Progress:
                self._in_flight[write.saga_id] = sender
        if handled.ticket < 0:
            if self._away:
                return
            if self._closed:
                self._early.append(handled)
                return
            if batch is None:
                # A timer began this batch: let others that are due join it.
                batch = self._open()
                if not self._proceeding:
                    self._proceeding = True
                    self.send(self.myAddress, PROCEED)
            batch.absorb(handled)
            return
        if batch is None or self._closed or self._away:
            return  # an answer from before a rollback
        batch.absorb(handled)
        batch.waiting -= 1
        if not batch.waiting:
            self._wave_done(batch)

    def _is_current(self, handled: Handled, sender: ActorAddress) -> bool:
        """Whether what a timer did was done by the saga actor that now stands for the saga."""
        known = self._in_flight.get(handled.writes[0].saga_id)  # type: ignore[union-attr]
        if type(known) is int:
            return handled.ticket == timer_ticket(known)
        return known is not None and known == sender

    def _not_handled(self, number: int, error: str) -> None:
        batch = self._batch
        if batch is None or self._closed or self._away:
            return
        ticket = batch.tickets[number]
        message = ticket.item.message
        if ticket.tries < TRIES:
            ticket.tries += 1
            receiver = self._receivers[ticket.route.receiver]
            state = self._load(batch, [ticket.item]).get((ticket.route.entity, message.order_id))
            now = self._world.clock.now()
            self.send(receiver, Delivery(batch.number, number, message, state, now))
            return
        record = ticket.item.record or self._as_record(ticket)
        self._dead_letter(batch, record, error.strip().rsplit("\n", 1)[-1], details=error)
        batch.waiting -= 1
        if not batch.waiting:
            self._wave_done(batch)

    def _as_record(self, ticket: Ticket) -> Record:
        """The record of a message that never was in a log."""
        message, topic = ticket.item.message, ticket.item.topic
        key = message.order_id.encode()
        partition = partition_for(key, self._world.store.partitions)
        return Record(topic, partition, -1, key, self._world.wire.encode(message))

    def _poisoned(self, poison: PoisonMessage) -> None:
        delivery = poison.poisonMessage
        if isinstance(delivery, Delivery) and self._batch and delivery.batch == self._batch.number:
            self._batch.tickets[delivery.ticket].tries = TRIES
            self._not_handled(delivery.ticket, str(poison.details or "the actor failed"))

    def _wave_done(self, batch: Batch) -> None:
        outputs, batch.outputs = batch.outputs, []
        if outputs:
            world = self._world
            encode, routes = world.wire.encode, world.routes
            partitions = world.store.partitions
            items = []
            for output in outputs:
                topic, message = output.topic, output.message
                raw = output.key.encode()
                partition = partition_for(raw, partitions)
                shard = partition_for(message.order_id.encode(), partitions)
                if self.place(batch, Outgoing(topic, partition, raw, encode(message)), shard):
                    items.append(Item(message, topic, None, routes.of(topic, type(message))))
            if items:
                self._deliver(batch, items)
                return
        self._commit()

    def _dead_letter(
        self, batch: Batch, record: Record, error: str, details: str | None = None
    ) -> None:
        world = self._world
        log.error(
            "record.dead_lettered",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=error,
            **({"details": details} if details else {}),
        )
        letter = dead_letter(record, error, world.clock.now(), world.store.partitions)
        self.place(batch, letter, record.partition)

    # --- the end of a batch -------------------------------------------------------------------

    def _commit(self) -> None:
        batch = self._batch
        if batch is None:
            return
        if batch.empty and not self.untidy:
            self._batch = None
            self._world.flush()
            self.given_back(batch)
            self.between_batches()
            if self._stopping:
                self._stop()
            return
        self._closed = True
        world = self._world
        try:
            world.flush()
            world.watch("before commit")
            outbox = world.store.commit(self.changes(batch), world.clock.now())
            world.watch("after commit")
        except StoreUnavailableError as error:
            world.outages.begin("database", world.clock.now())
            log.warning("commit.waiting", error=str(error), retry_in=self._wait)
            self.wakeupAfter(timedelta(seconds=self._wait), CommitAgain())
            self._wait = min(self._wait * 2, LONGEST_WAIT)
            return
        except LostShardError as error:
            log.warning("batch.rolled_back", error=str(error))
            self._roll_back()
            return
        except Exception as error:
            self._fatal(error)
            return
        self._database_is_back()
        self._closed = False
        self._batch = None
        self.committed(batch, outbox)
        self.given_back(batch)
        ended = [saga.saga_id for saga in batch.sagas.values() if saga.ended]
        if ended:
            for saga_id in ended:
                self._in_flight.pop(saga_id, None)
            self.send(self._receivers[ORCHESTRATOR], Ended(ended))
        for call in batch.calls:
            world.outside.make(call, self._take_outcome)
        self.between_batches()
        self._proceed_soon()

    def changes(self, batch: Batch) -> Changes:
        """All that the batch did, for the store."""
        return Changes(
            entities=batch.entities.values(),
            sagas=batch.sagas.values(),
            appended=batch.appended,
            outbox=batch.outbox,
            offsets=batch.offsets,
            epochs=self._epochs,
        )

    def _take_outcome(self, outcome: Message) -> None:
        self._world.tell(Inject(outcome))

    def _roll_back(self) -> None:
        """Forget the batch, and every actor's memory of what did not happen; begin again."""
        batch, self._batch = self._batch, None
        self._closed = False
        self._early = []
        self.lose_all()
        if batch:
            self._injected = batch.injected + self._injected
            self.given_back(batch)
        self.rolled_back()

    def _stop(self) -> None:
        self._world.flush()
        self.close_log()
        self._world.outside.close()
        self._world.store.close()
        waiting, self._stopping = self._stopping, []
        self._receivers = {}
        for asker in waiting:
            self.send(asker, Stopped())

    # --- what comes back after a start, or a rebalance ----------------------------------------

    def gain(self, epochs: dict[int, int]) -> None:
        """These shards are ours now: give the actors what the store knows of them.

        Call it between batches. Sagas come back in the order of their deadlines, so that overdue
        ones fire in it.
        """
        self._epochs.update(epochs)
        store, shards = self._world.store, sorted(epochs)
        self._restore_sagas(shards)
        for service in self._world.services:
            address = self._receivers.get(service.participant.name)
            if address is None:
                continue
            entities: list[Entity] = [e for kind in service.memory for e in self._owned(kind)]
            for kind in (service.entity, *service.entity_of.values()):
                if kind.pending:
                    entities += store.owed(kind, shards)
            self.send(address, RestoreEntities(entities))
        self._proceed_soon()

    def lose(self, shards: frozenset[int]) -> None:
        """These shards are ours no longer: release their sagas. Call it between batches."""
        for shard in shards:
            self._epochs.pop(shard, None)
        coordinator = self._receivers.get(ORCHESTRATOR)
        if coordinator is None:
            return
        partitions = self._world.store.partitions
        gone = [
            saga_id
            for saga_id in self._in_flight
            if partition_for(saga_id.partition("/")[2].encode(), partitions) in shards
        ]
        for saga_id in gone:
            del self._in_flight[saga_id]
        self.send(coordinator, Release(gone))

    def lose_all(self) -> None:
        """No shard is ours any more."""
        self._epochs.clear()
        self._in_flight.clear()
        if ORCHESTRATOR in self._receivers:
            self.send(self._receivers[ORCHESTRATOR], Release())

    def _restore_sagas(self, shards: Sequence[int]) -> None:
        coordinator = self._receivers.get(ORCHESTRATOR)
        if coordinator is None:
            return
        self._restores += 1
        count = 0
        in_flight = self._world.store.in_flight(shards)
        while chunk := list(islice(in_flight, RESTORE_AT_ONCE)):
            count += len(chunk)
            for progress in chunk:
                self._in_flight[progress.saga_id] = self._restores
            self.send(coordinator, Restore(chunk, self._restores))
        if count:
            log.info("sagas.restored", count=count, shards=len(shards))

    def _owned(self, kind: type[Entity]) -> list[Entity]:
        partitions = self._world.store.partitions
        return [
            entity
            for entity in self._world.store.all_of(kind)
            if partition_for(getattr(entity, kind.key[0]).encode(), partitions) in self._epochs
        ]
