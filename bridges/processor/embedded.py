"""The adapter of the embedded log: a table of the SQLite database that holds everything else.

State, offsets and outgoing records are one commit there, so that a batch follows its own outputs:
what a handler sends is handled in the same batch, and the whole cascade is one transaction. What
belongs to a shard of another worker is left in the log for it, and its bell is rung. What is for a
role that does not run here is left in the log for that role, which finds it when it is started.
"""

from collections.abc import Sequence
from typing import Any

from thespian.actors import ActorAddress

from order_sagas.actors.messages import Message
from order_sagas.actors.participants import DEAD_LETTERS
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.log_adapter import ProcessorHost
from order_sagas.bridges.processor.positions import Positions
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.log_queues import HANDLED, LEFT, LEFT_FOR_OTHERS, LOG, queue_of
from order_sagas.bridges.storage.store import Changes

NEW = 4
"""The fourth part of a batch is for new orders, however much is under way."""


class EmbeddedLogAdapter:
    """Reads the records of its shards in the order in which they were appended, whatever topic.

    What was left for its roles while they did not run comes first, and nothing else is read until
    all of it is handled; what comes for such a role meanwhile is left for it too. Then comes what
    another worker left for this one: a saga under way, which has a deadline, does not wait behind
    ten thousand orders that have yet to begin. Order is kept per key and role within what was left
    for a role and all that follows it, and per key within each of the other two queues.
    """

    polls_pauses = False
    untidy = False

    def __init__(self, host: ProcessorHost) -> None:
        self._host = host
        self._context = host.context
        self._ownership = host.ownership
        self._receivers = host.receivers
        self._positions = Positions()
        self.absent: dict[str, str] = {}
        self._left_for_others = False
        self._left_for_us = True
        self._behind: list[str] = []
        """Our roles for which earlier starts may have left records."""
        self._role_of_record: dict[int, str] = {}
        """The role that a record of this batch was left for, by its position."""

    def open(self) -> None:
        """See `LogAdapter.open`."""
        store, roles = self._context.store, self._context.roles
        shards = sorted(self._context.shards or range(store.partitions))
        here = sorted({role for receiver, role in roles.items() if receiver in self._receivers})
        queues = [LEFT, LOG, *map(queue_of, here)]
        claim = store.claim(queues, shards)
        self._positions.clear()
        self._positions.claimed(
            {(queue, shard): claim.offsets[queue, shard] for queue in queues for shard in shards}
        )
        self._left_for_us = True
        self._behind = here
        self.absent = dict(roles)
        self._host.gain(claim.epochs)

    def close(self) -> None:
        """The log is the database, which the processor closes."""

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """It knows no message of its own."""

    @property
    def selective(self) -> bool:
        """See `LogAdapter.selective`."""
        return bool(self.absent or self._role_of_record)

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """See `LogAdapter.poll`."""
        left: list[Record] = []
        if self._behind or self._role_of_record:
            left = self._left_for_roles(batch, limit)
            if self._behind:
                return left
            limit -= len(left)
        if self._left_for_us:
            left += self._read(LEFT, limit - limit // NEW, batch)
            if self._shards is None and (LEFT, 0) not in batch.offsets:
                self._left_for_us = False  # all shards are ours: there is nobody to leave more
        return left + self._read(LOG, limit - len(left), batch)

    def _left_for_roles(self, batch: Batch, limit: int) -> list[Record]:
        """What was left for our roles while they did not run.

        Once all of it is read, no more comes: whoever runs this database runs our roles.
        """
        self._role_of_record = {}
        found: list[Record] = []
        for role in [*self._behind]:
            queue, room = queue_of(role), limit - len(found)
            records = self._rows(queue, room)
            if len(records) < room:
                self._behind.remove(role)
            new = self._unhandled(queue, records, batch)
            self._role_of_record.update((record.offset, role) for record in new)
            found += new
        self.absent = {
            receiver: role
            for receiver, role in self._context.roles.items()
            if receiver not in self._receivers or role in self._behind
        }
        return found

    @property
    def _shards(self) -> list[int] | None:
        """Ours; None for all there are."""
        ours = self._positions.of(LOG)
        return sorted(ours) if len(ours) < self._context.store.partitions else None

    def _read(self, queue: str, limit: int, batch: Batch) -> list[Record]:
        return self._unhandled(queue, self._rows(queue, limit), batch)

    def _rows(self, queue: str, limit: int) -> list[Record]:
        begin = min(self._positions.of(queue).values())
        return self._context.store.read_log(begin, limit, self._shards, queue)

    def _unhandled(self, queue: str, records: list[Record], batch: Batch) -> list[Record]:
        """Note in the batch up to where a queue was read; answers what is to be handled of it."""
        if not records:
            return records
        positions, end = self._positions.of(queue), records[-1].offset
        for shard, at in positions.items():
            batch.offsets[queue, shard] = (at, max(at, end))
        # A record that was put among the dead letters is one, and is not made one again.
        # A shard that came from another worker may be further than the others.
        return [
            record
            for record in records
            if record.topic != DEAD_LETTERS and record.offset > positions[record.partition]
        ]

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Leave the record for those of its receivers that get no records now."""
        roles = self._context.roles
        role = self._role_of_record.get(record.offset)
        if role is not None and (message is not None or role == roles[ORCHESTRATOR]):
            return tuple(route for route in routes if roles[route.receiver] == role)
        if message is not None and self.elsewhere(Item(message, record.topic, record, routes)):
            return routes  # it is sent on whole, and the shard's owner leaves it
        absent, partitions = self.absent, self._context.store.partitions
        left: dict[str, int] = {}
        for route in routes:
            if route.receiver in absent:
                left[absent[route.receiver]] = (
                    record.partition
                    if message is None
                    else partition_for(route.keyed_by(message).encode(), partitions)
                )
        for role, partition in left.items():
            outgoing = Outgoing(record.topic, partition, record.key, record.value, record.headers)
            batch.left.append((outgoing, role))
        return tuple(route for route in routes if route.receiver not in absent)

    def leave(
        self, batch: Batch, outgoing: Outgoing, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """See `LogAdapter.leave`."""
        if outgoing.partition not in self._ownership.epochs:
            return routes  # the shard's owner leaves it
        absent = self.absent
        roles = dict.fromkeys([absent[r.receiver] for r in routes if r.receiver in absent])
        batch.left += [(outgoing, role) for role in roles]
        return tuple(route for route in routes if route.receiver not in absent)

    def elsewhere(self, item: Item) -> bytes | None:
        """See `LogAdapter.elsewhere`."""
        if self._context.shards is None:
            return None
        if item.record is not None and item.record.offset in self._role_of_record:
            return None  # it was left by its shard
        return self._ownership.key_elsewhere(item)

    def forwards(self, item: Item) -> bool:
        """See `LogAdapter.forwards`."""
        return True

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """See `LogAdapter.emit`."""
        ours = outgoing.partition in self._ownership.epochs or outgoing.topic == DEAD_LETTERS
        self._left_for_others = self._left_for_others or not ours
        batch.appended.append((outgoing, HANDLED if ours else LEFT_FOR_OTHERS))
        return ours

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """See `LogAdapter.on_committed`."""
        self._positions.committed(batch.offsets)
        if self._left_for_others:
            self._left_for_others = False
            self._context.ring()

    def on_rolled_back(self) -> None:
        """See `LogAdapter.on_rolled_back`."""
        self.open()

    def given_back(self, batch: Batch) -> None:
        """Nothing is kept of a batch."""

    def between_batches(self) -> None:
        """Its shards are the same for good."""

    def changes(self, batch: Batch, changes: Changes) -> Changes:
        """See `LogAdapter.changes`."""
        return changes
