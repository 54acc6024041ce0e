"""The adapter of Kafka: read a batch of records, commit it to the database, publish its outbox.

Delivery is at least once, and exactly once in effect: the offsets are compared and set in the same
transaction as everything else, every shard is claimed with a fencing token, and participants are
idempotent towards what was published twice because of a crash.
"""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import attrs
import structlog
from thespian.actors import ActorAddress, WakeupMessage

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.retry import Retry
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.actors.words import many
from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.kafka.consumer_listener import HELD, Extent
from order_sagas.bridges.kafka.consumer_listener import Batch as Handover
from order_sagas.bridges.kafka.errors import KafkaClientError, RecordTooLargeError
from order_sagas.bridges.kafka.ports import ClientPort, ConsumerPort
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.log_adapter import ProcessorHost
from order_sagas.bridges.processor.positions import Positions
from order_sagas.bridges.processor.role_progress import RoleProgress
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.processor.topic_check import TopicCheck
from order_sagas.bridges.records.dead_letter import dead_letter
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.outbox_events import fits
from order_sagas.bridges.storage.role_offsets import RoleOffsets
from order_sagas.bridges.storage.store import SUBMITTED, Changes

log = structlog.get_logger("processor")

AGAIN = Retry(attempts=sys.maxsize, backoff=0.5, factor=2.0, longest=5.0)
"""Delays before records that Kafka did not acknowledge are published again."""
TIDY_SECONDS = 1.0
"""Seconds that published records wait in the outbox for a batch that deletes them."""
MAX_OUTSTANDING = 4
"""Maximum number of handovers of the consumer that are not settled."""
SWEEP_SECONDS = 5.0
"""Seconds between reads of what submitters committed and did not publish, having died."""
SWEEP_RECORDS = 1000
"""Maximum number of submitters' records that are read at a time."""


# Messages of the consumer's thread to the processor.


@attrs.frozen
class ShardsAssigned:
    """Shards were assigned. Claim them; `positions` takes the offsets at which to read on."""

    shards: frozenset[int]
    positions: "Future[Mapping[tuple[str, int], int]]"


@attrs.frozen
class ShardsRevoked:
    """Shards are being revoked. Commit what they are part of, then release them."""

    shards: frozenset[int]


@attrs.frozen
class ShardsLost:
    """Shards were lost: other workers may own them already. Drop them."""

    shards: frozenset[int]


@attrs.frozen
class PartitionExtents:
    """What partitions hold that are about to be assigned."""

    extents: Mapping[tuple[str, int], Extent]


@attrs.frozen
class RecordsRead:
    """Records of shards that were assigned when the records were read."""

    handover: Handover


@attrs.frozen
class Connection:
    """The connection to Kafka was established or lost."""

    up: bool


@attrs.frozen(eq=False)
class Published:
    """Result of publishing outbox rows: each is acknowledged, too large, or to be retried."""

    rows: dict[int, Outgoing]
    publication: Publication


class _Again:
    """Wakeup: publish again what was not acknowledged."""


class _Tidy:
    """Wakeup: delete published rows of the outbox, even if no batch does."""


class _Sweep:
    """Wakeup: read what submitters committed and did not publish."""


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
        self._queue: deque[tuple[Handover, list[Record]]] = deque()
        self._to_claim: list[ShardsAssigned] = []
        self._to_release: set[int] = set()
        self._unpublished: dict[int, Outgoing] = {}
        """Outbox rows that are being published, or are to be published again."""
        self._flights: list[Published] = []
        self._failed: list[int] = []
        self._deleting = 0
        self._attempted = 0
        """Number of the last batch of which a commit was tried."""
        self._retried = False
        """Whether its commit was tried before, and may have succeeded without a response."""
        self._published: list[int] = []
        """Outbox rows that Kafka acknowledged: the next transaction deletes them."""
        self._refused: dict[int, Outgoing] = {}
        """Outbox rows that are too large for their topics, each with its dead letter: the next
        transaction replaces the row by it."""
        self._refilling: dict[int, Outgoing] = {}
        """Those of them that the open transaction replaces."""
        self._failures = 0
        """Consecutive failed attempts to publish."""
        self._again_due = False
        self._tidying = False
        self._left: set[int] = set()
        """Ids of the submitters' rows that were in the outbox at the last read."""
        self._owner: _Owner | None = None
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
        self._owner = _Owner(self._context.tell)
        self._reader = client.consumer(
            [topic for topic in topics if topic in read],
            self._owner,
            self._context.batch_size,
            MAX_OUTSTANDING,
        )
        self._owner.reader = self._reader
        self._reader.start()
        self._host.wake_up(SWEEP_SECONDS, _Sweep())

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
        for flight in self._flights:
            if flight.publication.is_done and not flight.publication.failures:
                self._published += flight.rows
        if self._published:
            try:
                self._context.store.commit(
                    Changes(published=self._published), self._context.clock.now()
                )
            except StoreUnavailableError as error:
                # The next owner of the shards publishes again what Kafka has already.
                log.warning("outbox.left_untidy", count=len(self._published), error=str(error))

    # --- messages of the consumer -------------------------------------------------------------

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message of the consumer's thread or of the producer, or a wakeup."""
        kind = type(message)
        if kind is RecordsRead:
            self._queue.append((message.handover, message.handover.records))
            self._host.proceed_soon()
        elif kind is Published:
            self._note_published(message)
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
        elif kind is WakeupMessage and isinstance(message.payload, _Again):
            self._again_due = False
            self._publish_again()
        elif kind is WakeupMessage and isinstance(message.payload, _Tidy):
            self._tidying = False
            self._host.proceed_soon()
        elif kind is WakeupMessage and isinstance(message.payload, _Sweep):
            self._host.wake_up(SWEEP_SECONDS, _Sweep())
            self._context.flush()  # Kafka's log lines must not wait for a batch
            self._sweep()

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
        self._queue = deque(
            (handover, [r for r in records if r.partition not in asked.shards])
            for handover, records in self._queue
        )
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
        left = store.unpublished(shards, store.consumer, *claim.rivals, SUBMITTED)
        if left:
            log.info("outbox.published_again", count=len(left))
            self._publish(dict(left))
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
        mine = self._ownership.epochs.keys()
        for queued in [q for q in self._queue if not q[0].shards & mine]:
            self._queue.remove(queued)
            self._reader.done(queued[0])

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
            handover, records = self._queue[0]
            room = limit - len(taken)
            if len(records) > room:
                self._queue[0] = (handover, records[room:])
                records = records[:room]
            else:
                self._queue.popleft()
                batch.sources.append(handover)
            for record in records:
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
        self._retried = self._attempted == batch.number
        self._attempted = batch.number
        changes.published = self._published[:]
        self._deleting = len(changes.published)
        self._refilling = dict(self._refused)
        changes.refused = [*self._refilling.items()]
        return changes

    @property
    def untidy(self) -> bool:
        """Whether published rows are to be deleted, or refused ones replaced, without delay."""
        return bool(self._published or self._refused) and not self._tidying

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """Move the offsets, and publish the outbox rows of the batch."""
        self._positions.committed(batch.offsets)
        if self._moved:
            for place in batch.offsets:
                self._moved.pop(place, None)
        self._progress.committed(batch.offsets)
        # Rows published since then were appended behind those that this commit deleted.
        del self._published[: self._deleting]
        letters, self._refilling = self._refilling, {}
        if letters:
            for number in letters:
                self._refused.pop(number, None)
            self._publish(letters)
        if outbox:
            self._publish(
                {i: outgoing for i, (_, outgoing) in zip(outbox, batch.outbox, strict=True)}
            )
        if self._retried:
            self._publish_left_over()
        if batch.offsets:
            self._reader.report({place: after for place, (_, after) in batch.offsets.items()})

    def given_back(self, batch: Batch) -> None:
        """Settle the handovers of the batch."""
        for handover in batch.sources:
            self._reader.done(handover)

    def on_rolled_back(self) -> None:
        """Drop all handovers, and have the consumer assign every shard again."""
        assert self._owner is not None
        for handover, _ in self._queue:
            self._reader.done(handover)
        self._queue.clear()
        self._positions.clear()
        self._progress.clear()
        self._moved.clear()
        self.between_batches()
        self._reader.rewind(self._owner.assigned)

    # --- publishing ---------------------------------------------------------------------------

    def _publish(self, rows: dict[int, Outgoing]) -> None:
        self._unpublished.update(rows)
        flight = Published(rows, self._writer.publish(list(rows.values())))
        self._flights.append(flight)
        tell = self._context.tell
        flight.publication.add_done_callback(lambda _: tell(flight))
        self._context.watch("after publish")

    def _note_published(self, published: Published) -> None:
        self._flights.remove(published)
        failures = published.publication.failures
        for place, (number, outgoing) in enumerate(published.rows.items()):
            error = failures.get(place)
            if error is None:
                self._unpublished.pop(number, None)
                self._published.append(number)
            elif self._unpublished.get(number) is not outgoing:
                continue  # it, or its dead letter, was published again since
            elif isinstance(error, RecordTooLargeError):
                self._too_large(number, outgoing, error)
            else:
                self._failed.append(number)
        self._failures = self._failures + 1 if failures else 0
        if self._failed and not self._again_due:
            self._again_due = True
            wait = AGAIN.wait_after(max(1, self._failures), self._context.store.consumer)
            assert wait is not None
            log.warning("publish.waiting", records=len(self._failed), retry_in=round(wait, 3))
            self._host.wake_up(wait, _Again())
        if (self._published or self._refused) and not self._tidying:
            self._tidying = True
            self._host.wake_up(TIDY_SECONDS, _Tidy())

    def _publish_left_over(self) -> None:
        """Publish outbox rows that this worker stored without knowing.

        A batch of timers moves no offset: if the response to its commit is lost, the next attempt
        stores its records again, with other ids.
        """
        store = self._context.store
        known = {*self._unpublished, *self._published}
        rows = store.unpublished(sorted(self._ownership.epochs), store.consumer)
        left = {number: row for number, row in rows if number not in known}
        if left:
            log.info("outbox.published_again", count=len(left))
            self._publish(left)

    def _sweep(self) -> None:
        """Publish records that submitters committed and did not publish, some at a time.

        Only those that were there at the last read too: submitters may be publishing newer ones.
        """
        if not self._ownership.epochs or self._host.state not in (State.IDLE, State.OPEN):
            return
        rows = dict(self._context.store.submitted(sorted(self._ownership.epochs), SWEEP_RECORDS))
        known = {*self._unpublished, *self._published}
        left = {i: row for i, row in rows.items() if i in self._left and i not in known}
        self._left = {*rows}
        if left:
            log.warning("outbox.left_by_submitter", count=len(left))
            self._publish(left)

    def _publish_again(self) -> None:
        failed, self._failed = sorted(set(self._failed)), []
        rows = {i: self._unpublished[i] for i in failed if i in self._unpublished}
        if rows:
            self._publish(rows)

    def _too_large(self, number: int, outgoing: Outgoing, error: KafkaClientError) -> None:
        """Replace an outbox row that is too large for its topic by its dead letter.

        A dead letter that is too large itself stays in the outbox. It is published again when its
        shard is claimed, since the topic's limit may have been raised by then.
        """
        size = len(outgoing.value or b"")
        if outgoing.topic == DEAD_LETTERS:
            problem = f"dead letter {number} of the outbox stays in the database: {error}"
            log.error("dead_letter.too_large", outbox_id=number, size=size, error=str(error))
            self._host.counts.last_error = problem
            return
        log.error(
            "record.too_large", topic=outgoing.topic, outbox_id=number, size=size, error=str(error)
        )
        self._host.counts.dead_letters += 1
        record = Record(
            outgoing.topic, outgoing.partition, -1, outgoing.key, outgoing.value, outgoing.headers
        )
        context = self._context
        letter = dead_letter(record, str(error), context.clock.now(), context.store.partitions)
        self._refused[number] = letter


class _Owner:
    """The consumer's listener: sends its events to the processor as messages."""

    def __init__(self, tell: Any) -> None:
        self._tell = tell
        self._closing = False
        self._asked: ShardsAssigned | None = None
        self.reader: ConsumerPort | None = None
        self.assigned: frozenset[int] = frozenset()

    def close(self) -> None:
        """Reply to the consumer itself from now on: the processor handles no more messages."""
        self._closing = True
        if self._asked:
            self._asked.positions.cancel()  # wakes the consumer's thread, which then stops

    def on_assigned(self, shards: frozenset[int]) -> "Future[Mapping[tuple[str, int], int]]":
        if self._closing:
            raise RuntimeError("the worker is stopping")
        self.assigned |= shards
        asked = self._asked = ShardsAssigned(shards, Future())
        self._tell(asked)
        return asked.positions

    def on_extents(self, extents: Mapping[tuple[str, int], Extent]) -> None:
        self._tell(PartitionExtents(extents))

    def on_batch(self, batch: Handover) -> None:
        self._tell(RecordsRead(batch))

    def on_revoked(self, shards: frozenset[int]) -> None:
        self.assigned -= shards
        if self._closing and self.reader:
            self.reader.released(shards)
        else:
            self._tell(ShardsRevoked(shards))

    def on_lost(self, shards: frozenset[int]) -> None:
        self.assigned -= shards
        self._tell(ShardsLost(shards))

    def on_connected(self) -> None:
        self._tell(Connection(True))

    def on_disconnected(self, reason: str) -> None:
        self._tell(Connection(False))
