"""The adapter of Kafka: read a batch of records, commit it to the database, publish its outbox.

Delivery is at least once, and exactly once in effect: the offsets are compared and set in the same
transaction as everything else, every shard is claimed with a fencing token, and participants are
idempotent towards what was published twice because of a crash.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from thespian.actors import ActorAddress, WakeupMessage

from order_sagas.actors.messages import Message
from order_sagas.actors.words import many
from order_sagas.bridges.kafka.consumer_listener import HELD
from order_sagas.bridges.kafka.errors import KafkaClientError
from order_sagas.bridges.kafka.ports import ClientPort
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.consumer_events import (
    Connection,
    ForwardingOwner,
    PartitionExtents,
    RecordsRead,
    ShardsAssigned,
    ShardsLost,
    ShardsRevoked,
)
from order_sagas.bridges.processor.group_membership import GroupMembership
from order_sagas.bridges.processor.handover_queue import HandoverQueue
from order_sagas.bridges.processor.log_adapter import ProcessorHost
from order_sagas.bridges.processor.outbox_publisher import OutboxPublisher
from order_sagas.bridges.processor.positions import Positions
from order_sagas.bridges.processor.role_progress import RoleProgress
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.processor.topic_check import TopicCheck
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.outbox_events import fits
from order_sagas.bridges.storage.outbox_table import SUBMITTED
from order_sagas.bridges.storage.role_offsets import RoleOffsets

log = structlog.get_logger("processor")

MAX_OUTSTANDING = 4
"""Maximum number of handovers of the consumer that are not settled."""
LOOK_SECONDS = 5.0
"""Seconds between decisions whether to leave the group, or to return to it."""


class _LookAtDatabase:
    """Wakeup in an outage of the database: leave the group if it lasts too long, or return."""


class KafkaLogAdapter:
    """One consumer and one producer for all the roles of this worker; see `bridges.kafka.ports`.

    Each role has offsets of its own on the topics on which it takes records, so it continues there
    whatever set of roles it is started with. A worker reads from the lowest offset of its roles,
    and does not deliver to a role what that role has handled.

    A record in another partition than that of its order is forwarded: services of other systems may
    write without a key.
    """

    polls_pauses = True
    absent: Mapping[str, str] = {}

    def __init__(self, host: ProcessorHost) -> None:
        self._host = host
        self._context = host.context
        self._ownership = host.ownership
        self._receivers = host.receivers
        self._positions = Positions()
        """The stored offsets: up to there, all roles of this worker have handled a partition."""
        self._progress = RoleProgress()
        self._topics = TopicCheck(self._context.store.topic_ids, self._context.clock.now)
        self._offsets: RoleOffsets
        self._moved: dict[tuple[str, int], int] = {}
        """Offsets at which partitions are read whose stored offsets are out of range."""
        self._queue = HandoverQueue()
        self._to_claim: list[ShardsAssigned] = []
        self._to_release: set[int] = set()
        self._publisher = OutboxPublisher(host)
        self._owner: ForwardingOwner | None = None
        self._looks = False
        """Whether a look at the database is due."""
        self._by_capture = self._context.keep_outbox_events is not None
        """Whether change data capture publishes records, from the table `outbox_events`."""

    # --- opening and closing ------------------------------------------------------------------

    def open(self) -> None:
        """Check the topics, and start producer and consumer; shards are claimed when assigned."""
        client: ClientPort = self._context.log
        topics = self._context.routes.topics
        self._offsets = self._offsets_of_roles(client.group)
        read = set[str]().union(*self._offsets.topics.values())
        client.check_topics(topics, self._context.store.partitions)
        self._writer = client.producer()
        self._writer.start(topics)
        self._membership = GroupMembership(self._context, client.longest_outage)
        self._read_topics = [topic for topic in topics if topic in read]
        self._join()
        self._publisher.open(self._writer)

    def _join(self) -> None:
        """Join the group, with a new consumer."""
        client: ClientPort = self._context.log
        self._owner = ForwardingOwner(self._context.tell)
        self._reader = client.consumer(
            self._read_topics, self._owner, self._context.batch_size, MAX_OUTSTANDING
        )
        self._owner.reader = self._reader
        self._reader.start()

    def _leave(self) -> None:
        """Drop all shards, and leave the group: other workers get them at once."""
        assert self._owner is not None
        log.warning("kafka.group_left", reason="the database has been away for too long")
        self._owner.close()
        self._reader.stop(finished=True)
        # The rollback would claim these shards, and fail.
        self._to_claim.clear()
        self._to_release.clear()
        if self._host.has_batch:
            self._host.roll_back()
        self._host.lose(frozenset(self._ownership.epochs))
        self._forget_stopped(self._owner.assigned)
        self._queue = HandoverQueue()

    def _look_at_database(self) -> None:
        self._looks = False
        if self._host.state is State.STOPPED:
            return
        member, host = self._membership, self._host
        if member.is_outage_too_long or member.has_left:
            # A worker without shards commits nothing, so it tries a write.
            if not host.has_batch and member.is_database_back():
                host.database_is_back()
                if member.has_left:
                    member.has_left = False
                    self._join()
            elif not member.has_left:
                member.has_left = True
                self._leave()
        if member.is_undecided:
            self.on_database_away()

    def _offsets_of_roles(self, group: str) -> RoleOffsets:
        """Return the offsets of the roles that run here, on the topics of each role."""
        taken: dict[str, set[str]] = {}
        for receiver in self._receivers:
            of_receiver = self._context.routes.topics_of(receiver)
            taken.setdefault(self._context.roles[receiver], set()).update(of_receiver)
        store = self._context.store
        topics = {role: sorted(of_role) for role, of_role in sorted(taken.items())}
        return RoleOffsets(store.db, store.consumer, group, topics)

    def close(self) -> None:
        """Stop consumer and producer, and delete published rows of the outbox."""
        if self._owner is None:
            return
        self._owner.close()
        self._reader.stop(finished=True)
        self._writer.close()
        self._publisher.close()

    # --- messages of the consumer -------------------------------------------------------------

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message of the consumer's thread or of the producer, or a wakeup."""
        kind = type(message)
        if kind is RecordsRead:
            self._queue.add(message.handover)
            self._host.proceed_soon()
        elif kind is ShardsAssigned:
            self._to_claim.append(message)
            self.between_batches()
        elif kind is PartitionExtents:
            self._topics.note(message.extents)
        elif kind is ShardsRevoked:
            self._to_release |= message.shards
            self.between_batches()
        elif kind is ShardsLost:
            self._shards_lost(message.shards)
        elif kind is Connection:
            self._note_connection(message.up)
        elif kind is WakeupMessage and isinstance(message.payload, _LookAtDatabase):
            self._look_at_database()
        else:
            self._publisher.receive(message)

    def _note_connection(self, up: bool) -> None:
        outages, now = self._context.outages, self._context.clock.now()
        if up:
            outages.end("kafka", now)
        else:
            outages.begin("kafka", now)

    def between_batches(self) -> None:
        """Release revoked shards and claim assigned ones."""
        if self._host.state is not State.IDLE or self._owner is None:
            return
        if self._to_release:
            shards = frozenset(self._to_release)
            self._to_release.clear()
            self._host.lose(shards)
            self._forget_stopped(shards)
            self._drop_queued()
            self._reader.released(shards)
        claims, self._to_claim = self._to_claim, []
        for place, claim in enumerate(claims):
            if not claim.positions.set_running_or_notify_cancel():
                continue  # it has timed out: the shards may be another worker's by now
            try:
                self._claim(claim)
            except Exception as error:
                claim.positions.set_exception(error)
                self._to_claim = claims[place + 1 :]
                raise

    def _claim(self, asked: ShardsAssigned) -> None:
        store, shards = self._context.store, sorted(asked.shards)
        again = asked.shards & self._ownership.epochs.keys()
        if again:
            self._host.lose(again)
        # Records read before the claim are read again, from the claimed offsets.
        self._queue.drop_records(asked.shards)
        claim = store.claim_for_roles(self._offsets, shards)
        found = self._topics.judge(claim.offsets)
        if found.doubtful:
            error = KafkaClientError("offsets were stored after the topics were looked at")
            asked.positions.set_exception(error)
            return
        self._host.counts.stopped_shards = len(self._topics.stopped)
        if found.stopped:
            self._shards_stopped(found.stopped)
        places = {at: n for at, n in claim.offsets.items() if at[1] not in found.stopped}
        begins = self._progress.claimed(places)
        self._positions.claimed(begins)
        for place in claim.offsets:
            self._moved.pop(place, None)
        self._moved.update({at: n for at, n in found.moved.items() if at in begins})
        shards = [shard for shard in shards if shard not in found.stopped]
        self._host.gain({shard: claim.epochs[shard] for shard in shards})
        left = store.outbox.unpublished(shards, store.consumer, *claim.rivals, SUBMITTED)
        self._publisher.publish_left(dict(left))
        self._host.database_is_back()
        positions = {at: n for at, n in {**begins, **self._moved}.items() if n and at in begins}
        held = {at: HELD for at in claim.offsets if at not in begins}
        asked.positions.set_result({**positions, **held})
        if self._moved:
            self._host.proceed_soon()

    def _shards_stopped(self, reasons: Mapping[int, str]) -> None:
        """Leave these shards unread, and say why: an operator has to decide where to go on."""
        shards = sorted(reasons)
        named = many(len(shards), "shard")
        problem = f"{named} not read: {reasons[shards[0]]}; see `topics check`"
        log.error("kafka.shards_stopped", shards=shards, reason=problem)
        self._host.counts.last_error = problem

    def _forget_stopped(self, shards: frozenset[int]) -> None:
        self._topics.forget(shards)
        self._host.counts.stopped_shards = len(self._topics.stopped)

    def _shards_lost(self, shards: frozenset[int]) -> None:
        self._to_release -= shards
        self._forget_stopped(shards)
        mine = shards & self._ownership.epochs.keys()
        if not mine:
            return
        if self._host.has_batch:
            # Its commit would be refused, or would conflict with the new owner.
            self._host.roll_back()
        else:
            self._host.lose(frozenset(mine))
            self._drop_queued()

    def _drop_queued(self) -> None:
        """Settle handovers that have no record of an owned shard."""
        for handover in self._queue.drop_unless(self._ownership.epochs.keys()):
            self._reader.done(handover)

    # --- a batch ------------------------------------------------------------------------------

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """Return records handed over by the consumer, without those handled or not owned."""
        taken: list[Record] = []
        positions, moved, epochs = self._positions, self._moved, self._ownership.epochs
        for topic, partition in moved:
            before = positions.of(topic).get(partition)
            if partition in epochs and before is not None:
                # Stored even if no record follows: deleted records do not wait any more.
                batch.offsets[topic, partition] = (before, moved[topic, partition])
        while self._queue and len(taken) < limit:
            for record in self._queue.take(limit - len(taken), batch.sources):
                place = (record.topic, record.partition)
                before = positions.of(record.topic).get(record.partition)
                if record.partition not in epochs or before is None:
                    continue  # its shard is not owned, or not claimed again yet
                if record.offset >= (moved.get(place, before) if moved else before):
                    taken.append(record)
                    batch.offsets[place] = (before, record.offset + 1)
        return taken

    @property
    def selective(self) -> bool:
        """Whether a role has handled records that another role has not."""
        return bool(self._progress.ahead)

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Return the routes to roles of this worker that have not handled the record."""
        roles = self._context.roles
        place = (record.topic, record.partition)
        handled = self._progress.have_handled(place, record.offset)
        return tuple(
            route
            for route in routes
            if route.receiver in self._receivers and roles[route.receiver] not in handled
        )

    def elsewhere(self, item: Item) -> bytes | None:
        """Return the key of the item's entity if another worker owns its shard, else None."""
        return self._ownership.key_elsewhere(item)

    def forwards(self, item: Item) -> bool:
        """Whether this worker forwards the record: the orchestrator's does, if it takes it."""
        every = self._context.routes.of(item.topic, type(item.message))
        return not any(route.receiver == ORCHESTRATOR for route in every) or (
            ORCHESTRATOR in self._receivers
            and any(route.receiver == ORCHESTRATOR for route in item.routes)
        )

    def leave(
        self, batch: Batch, outgoing: Outgoing, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Return all routes: nothing is kept for roles that do not run."""
        return routes  # each role has offsets of its own

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Add the record to an outbox; it is delivered in a later batch, when it was published."""
        if shard not in self._ownership.epochs:
            # A service replies about an order of another shard. If this worker dies before the
            # record is published, the next owner of one of its own shards publishes it.
            shard = next(iter(self._ownership.epochs), shard)
        if self._by_capture and fits(outgoing):
            batch.events.append(outgoing)
        else:
            batch.outbox.append((shard, outgoing))
        return False

    def changes(self, batch: Batch, changes: Changes) -> Changes:
        """Return the changes with the offsets of each role and the changes of the outbox."""
        changes.offsets = {}
        changes.moves = self._progress.moves(batch.offsets, self._offsets.name)
        self._publisher.add_changes(batch, changes)
        return changes

    @property
    def needs_commit(self) -> bool:
        """Whether published rows are to be deleted, or refused ones replaced, without delay."""
        return self._publisher.needs_commit

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """Move the offsets, and publish the outbox rows of the batch."""
        self._positions.committed(batch.offsets)
        if self._moved:
            for place in batch.offsets:
                self._moved.pop(place, None)
        self._progress.committed(batch.offsets)
        self._publisher.on_committed(batch, outbox)
        if batch.offsets:
            self._reader.report({place: after for place, (_, after) in batch.offsets.items()})

    def given_back(self, batch: Batch) -> None:
        """Settle the handovers of the batch."""
        for handover in batch.sources:
            self._reader.done(handover)

    def on_database_away(self) -> None:
        """Decide LOOK_SECONDS later whether to leave the group."""
        if not self._looks:
            self._looks = True
            self._host.wake_up(LOOK_SECONDS, _LookAtDatabase())

    def on_rolled_back(self) -> None:
        """Drop all handovers, and have the consumer assign every shard again."""
        assert self._owner is not None
        for handover in self._queue.drop_unless(()):
            self._reader.done(handover)
        self._positions.clear()
        self._progress.clear()
        self._moved.clear()
        self.between_batches()
        self._reader.rewind(self._owner.assigned)
