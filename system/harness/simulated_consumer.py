"""The consumer of one life of a worker, on a simulated Kafka.

Rebalances are handled by the real code: `ShardAssignor`, `Shares` and `Outstanding`. Only the Kafka
client below them and the thread that drives them are simulated.
"""

from collections import deque
from collections.abc import Coroutine, Generator, Mapping, Sequence
from typing import Any

import structlog
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.assignor import ShardAssignor
from order_sagas.bridges.kafka.backpressure import Outstanding
from order_sagas.bridges.kafka.consumer_listener import Batch, ShardOwner
from order_sagas.bridges.kafka.rebalance import CLAIM_SECONDS, Shares
from order_sagas.bridges.records.record import Record
from order_sagas.system.harness.consumer_client import Client
from order_sagas.system.harness.simulated_kafka import SimulatedKafka
from order_sagas.system.harness.worker_state import WorkerState

_log = structlog.get_logger(__name__)

SESSION_TIMEOUT = 10.0
"""Seconds without a heartbeat after which the group removes a member."""
RELEASE_TIMEOUT = 10.0
"""Seconds that the owner has to release a revoked shard."""
RETRY = 0.5
"""Seconds before the owner is asked again for its offsets."""
PARTLY = 0.3
"""Probability that a fetch returns only some of a partition's records."""
UNNOTICED = 0.3
"""Probability that a client notices its removal from the group only after it has rejoined."""

Thread = Generator[None, None, None]
"""A simulated thread: it yields where it would block, and continues after a `poke`."""


class SimulatedConsumer:
    """Implements `ConsumerPort`."""

    def __init__(
        self,
        kafka: SimulatedKafka,
        worker: WorkerState,
        topics: Sequence[str],
        owner: ShardOwner,
        max_batch: int,
        max_outstanding: int,
    ) -> None:
        self._kafka = kafka
        self._worker = worker
        self._topics = topics
        self._owner = owner
        self._max_batch = max_batch
        self.client = Client(kafka)
        self._outstanding = Outstanding(max_outstanding)
        self._shares = Shares(self.client, owner, self._outstanding, RELEASE_TIMEOUT, kafka.now)
        self._assignor = ShardAssignor(self.client.assignment)
        self._member = ""
        """Its current member id; its client may still have an older one."""
        self._rejoin = False
        self._rewind: deque[frozenset[int]] = deque()
        self._connected: bool | None = None
        self._leaving: float | None = None
        """Seconds for which it is about to leave the group, or None."""
        self._absent_until = 0.0
        self._next_fetch = 0.0
        self.poked = False
        """True if an event has happened that its thread may be waiting for."""
        self._running = False
        self._stepping = False
        self._thread: Thread = self._run()

    # --- the port -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the simulated thread."""
        self._running = True
        self.poke()

    def stop(self, timeout: float = 30.0, *, finished: bool = False) -> None:
        """Leave the group. The thread cannot be waited for here, so `finished` must be true."""
        assert finished
        self._outstanding.finish()
        self._running = False
        owned = self.client.assignment()
        self.client.assign(())
        for _ in _finish(self._shares.on_partitions_revoked(owned)):
            raise RuntimeError("a finished owner was waited for")
        self._kafka.group.remove(self._member)
        self._end()

    def done(self, batch: Batch) -> None:
        """Settle a handover, which makes room for another one."""
        self._outstanding.done(batch)
        self.poke()

    def released(self, shards: frozenset[int]) -> None:
        """Note that the owner has released revoked shards."""
        self._outstanding.released(shards)
        self.poke()

    def rewind(self, shards: frozenset[int]) -> None:
        """Have these shards assigned to the owner again."""
        self._rewind.append(shards)
        self.poke()

    def report(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Do nothing: no offsets are committed to the broker."""

    # --- events -------------------------------------------------------------------------------

    def poke(self) -> None:
        """Let its thread continue at the next step."""
        self.poked = True

    def poke_at(self, at: float) -> None:
        """Poke the thread at a time, in monotonic seconds."""
        self._kafka.stage.agenda.add(at, self.poke)

    def leave(self, seconds: float, *, lost: bool) -> None:
        """Leave the group for `seconds`: in good order, or `lost` as after a session timeout."""
        if not self._running:
            return
        if lost:
            self._kafka.group.remove(self._member)
            self._absent_until = self._kafka.now() + seconds
            self.poke_at(self._absent_until)
        else:
            self._leaving = seconds
        self.poke()

    def fall_silent(self) -> None:
        """Send no heartbeats while the worker is paused."""
        member, now = self._member, self._kafka.now
        limit = now() + SESSION_TIMEOUT

        def expire() -> None:
            if self._worker.paused and self._member == member:
                self._kafka.group.remove(member)

        self._kafka.stage.agenda.add(limit, expire)

    def kill(self) -> None:
        """Handle the death of its process: its session times out later."""
        if not self._running:
            return
        self._running = False
        member, group = self._member, self._kafka.group
        self._kafka.stage.agenda.add(
            self._kafka.now() + SESSION_TIMEOUT, lambda: group.remove(member)
        )
        self._end()

    def _end(self) -> None:
        self.poked = False
        if self in self._kafka.consumers:
            self._kafka.consumers.remove(self)

    # --- its thread ---------------------------------------------------------------------------

    def step(self) -> bool:
        """Run the thread until it waits; return False if it may not run now."""
        if self._stepping or not self._running or self._worker.paused:
            return False
        self.poked = False
        self._stepping = True
        try:
            next(self._thread)
        finally:
            self._stepping = False
        return True

    def _run(self) -> Thread:
        while True:
            while self._rewind:
                self._shares.rewind(self._rewind.popleft())
            self._note_connection()
            yield from self._take_part()
            away = self._shares.was_away()
            if self._shares.unready:
                yield from self._settle()
            if away or not self._fetch():
                yield

    def _note_connection(self) -> None:
        up = self._kafka.is_up
        if up and not self._connected:
            self._owner.on_connected()
        elif not up and self._connected:
            self._owner.on_disconnected("Kafka is away, on purpose.")
        self._connected = up if up or self._connected is not None else None

    def _take_part(self) -> Thread:
        """Join or leave the group if necessary, and apply a new assignment."""
        kafka, client, group = self._kafka, self.client, self._kafka.group
        if not kafka.is_up:
            return
        if self._leaving is not None:
            yield from self._leave_in_order(self._leaving)
        if self._member and self._member not in group.members:
            self._member = ""
            if kafka.rng.random() >= UNNOTICED:
                lost = client.assignment()
                client.assign(())
                client.member_id = ""
                yield from _finish(self._shares.on_partitions_lost(lost))
        if self._is_absent():
            return
        if self._rejoin or group.must_join(self._member):
            self._rejoin = False
            metadata = self._assignor.metadata(self._topics)
            self._member = group.join(self._member, metadata, self._assignor.assign)
        assigned = group.take_assignment(self._member)
        if assigned is not None:
            yield from self._be_assigned(assigned)

    def _is_absent(self) -> bool:
        return not self._member and self._kafka.now() < self._absent_until

    def _be_assigned(self, assigned: set[TopicPartition]) -> Thread:
        client = self.client
        owned = client.assignment()
        client.member_id = self._member
        client.assign(assigned)
        if owned - assigned:
            yield from self._revoke(owned - assigned)
            self._rejoin = True
            self.poke()
        if assigned - owned:
            yield from _finish(self._shares.on_partitions_assigned(sorted(assigned - owned)))

    def _revoke(self, partitions: set[TopicPartition]) -> Thread:
        self.poke_at(self._kafka.now() + RELEASE_TIMEOUT)
        yield from _finish(self._shares.on_partitions_revoked(partitions))

    def _leave_in_order(self, seconds: float) -> Thread:
        self._leaving = None
        owned = self.client.assignment()
        self.client.assign(())
        yield from self._revoke(owned)
        self._kafka.group.remove(self._member)
        self._member = self.client.member_id = ""
        self._absent_until = self._kafka.now() + seconds
        self.poke_at(self._absent_until)

    def _settle(self) -> Thread:
        """Ask the owner for its offsets, like `Shares.settle`, but without blocking."""
        try:
            asked = self._shares.ask()
            if asked is None:
                return
            asked.add_done_callback(lambda _: self.poke())
            limit = self._kafka.now() + CLAIM_SECONDS
            self.poke_at(limit)
            while not asked.done():
                if self._kafka.now() >= limit and asked.cancel():
                    raise TimeoutError("the database or the loop is busy or away")
                yield
            self._shares.read_on(asked.result())
        except Exception as error:
            _log.warning("kafka.shards_wait", error=str(error))
            again = self._kafka.now() + RETRY
            self.poke_at(again)
            while self._kafka.now() < again:
                yield

    def _fetch(self) -> bool:
        """Pass records of some partitions to the owner; return True if there were any."""
        kafka, client = self._kafka, self.client
        if not self._outstanding.wait_for_room(0) or kafka.now() < self._next_fetch:
            return False
        readable = client.readable()
        if not readable or not kafka.request():
            return False
        if kafka.latency:
            self._next_fetch = kafka.now() + kafka.late(kafka.latency)
            self.poke_at(self._next_fetch)
        kafka.rng.shuffle(readable)
        records: list[Record] = []
        for tp in readable:
            limit = self._max_batch - len(records)
            if kafka.rng.random() < PARTLY:
                limit = kafka.rng.randint(0, limit)
            if limit:
                found = kafka.topics.read((tp.topic, tp.partition), client.positions[tp], limit)
                client.positions[tp] = found[-1].offset + 1
                records += found
        if not records:
            self.poke()
            return False
        batch = Batch(records, frozenset(record.partition for record in records))
        self._outstanding.add(batch)
        self._owner.on_batch(batch)
        return True


def _finish(listener: Coroutine[Any, Any, None]) -> Thread:
    """Run a coroutine of the listener to its end, yielding where it sleeps."""
    while True:
        try:
            listener.send(None)
        except StopIteration:
            return
        yield
