"""The adapter of the embedded log: a table of the SQLite database that also holds the state.

State, offsets and outgoing records are one commit, so a batch delivers its own outputs: all that
follows from a record can be one transaction. A record for a shard of another worker is appended to
a queue for it, and the worker's doorbell is rung. A record for a role that does not run here is
appended to that role's queue, which is read when the role is started.
"""

from collections.abc import Sequence
from typing import Any

from thespian.actors import ActorAddress

from order_sagas.actors.messages import Message
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.log_adapter import ProcessorHost
from order_sagas.bridges.processor.positions import Positions
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.log_queues import HANDLED, LEFT, LEFT_FOR_OTHERS, LOG, queue_of

NEW = 4
"""One part in so many of a batch is reserved for new records."""


class EmbeddedLogAdapter:
    """Reads the records of its shards in the order in which they were appended, of all topics.

    The queues of its roles are read first, and nothing else until they are empty; new records for
    such a role are appended to its queue meanwhile. Then comes the queue of records from other
    workers: sagas in flight, which have deadlines, do not wait behind new orders. Order is kept per
    key and role from the queue of a role on, and per key within each of the other two queues.
    """

    polls_pauses = False
    needs_commit = False

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
        """Roles of this worker whose queues are not read to their end."""
        self._role_of_record: dict[int, str] = {}
        """For each record of this batch from the queue of a role, by position: the role."""

    def open(self) -> None:
        """Claim the fixed shards of this worker, and the queues of its roles."""
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
        """Do nothing: the log is the database, which the processor closes."""

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """Ignore the message: the embedded log has none of its own."""

    @property
    def selective(self) -> bool:
        """Whether some roles do not run here, or records of a role's queue are in the batch."""
        return bool(self.absent or self._role_of_record)

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """Return the next records: of the roles' queues, from other workers, then new ones."""
        left: list[Record] = []
        if self._behind or self._role_of_record:
            left = self._left_for_roles(batch, limit)
            if self._behind:
                return left
            limit -= len(left)
        if self._left_for_us:
            left += self._read(LEFT, limit - limit // NEW, batch)
            if self._shards is None and (LEFT, 0) not in batch.offsets:
                self._left_for_us = False  # all shards are owned: no other worker appends here
        return left + self._read(LOG, limit - len(left), batch)

    def _left_for_roles(self, batch: Batch, limit: int) -> list[Record]:
        """Read the queues of the roles of this worker.

        Once they are read to their end they stay empty: the roles run now.
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
        """The claimed shards; None if they are all shards."""
        ours = self._positions.of(LOG)
        return sorted(ours) if len(ours) < self._context.store.partitions else None

    def _read(self, queue: str, limit: int, batch: Batch) -> list[Record]:
        return self._unhandled(queue, self._rows(queue, limit), batch)

    def _rows(self, queue: str, limit: int) -> list[Record]:
        begin = min(self._positions.of(queue).values())
        return self._context.store.read_log(begin, limit, self._shards, queue)

    def _unhandled(self, queue: str, records: list[Record], batch: Batch) -> list[Record]:
        """Note the offsets of the records in the batch; return those not handled before."""
        if not records:
            return records
        positions, end = self._positions.of(queue), records[-1].offset
        for shard, at in positions.items():
            batch.offsets[queue, shard] = (at, max(at, end))
        # A record on the dead letter topic is no input. Positions differ between shards, since
        # other workers may have owned some of them.
        return [
            record
            for record in records
            if record.topic != DEAD_LETTERS and record.offset > positions[record.partition]
        ]

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Copy the record to the queues of roles that do not run; return the other routes."""
        roles = self._context.roles
        role = self._role_of_record.get(record.offset)
        if role is not None and (message is not None or role == roles[ORCHESTRATOR]):
            return tuple(route for route in routes if roles[route.receiver] == role)
        if message is not None and self.elsewhere(Item(message, record.topic, record, routes)):
            return routes  # it is forwarded, and the shard's owner does this
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
        """Append the record to the queues of roles that do not run; return the other routes."""
        if outgoing.partition not in self._ownership.epochs:
            return routes  # the shard's owner does this
        absent = self.absent
        roles = dict.fromkeys([absent[r.receiver] for r in routes if r.receiver in absent])
        batch.left += [(outgoing, role) for role in roles]
        return tuple(route for route in routes if route.receiver not in absent)

    def elsewhere(self, item: Item) -> bytes | None:
        """Return the key if another worker owns its shard; None if all shards are this worker's."""
        if self._context.shards is None:
            return None
        if item.record is not None and item.record.offset in self._role_of_record:
            return None  # it is from the queue of a role
        return self._ownership.key_elsewhere(item)

    def forwards(self, item: Item) -> bool:
        """Return True: each record is read by one worker."""
        return True

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Append the record to the log; it is delivered in this batch if its shard is owned."""
        ours = outgoing.partition in self._ownership.epochs or outgoing.topic == DEAD_LETTERS
        self._left_for_others = self._left_for_others or not ours
        batch.appended.append((outgoing, HANDLED if ours else LEFT_FOR_OTHERS))
        return ours

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """Move the positions, and ring the doorbell if there are records for other workers."""
        self._positions.committed(batch.offsets)
        if self._left_for_others:
            self._left_for_others = False
            self._context.ring()

    def on_database_away(self) -> None:
        """Do nothing: there is no other worker to leave the shards to."""

    def on_rolled_back(self) -> None:
        """Claim the shards again."""
        self.open()

    def given_back(self, batch: Batch) -> None:
        """Do nothing: the records of a batch are not kept."""

    def between_batches(self) -> None:
        """Do nothing: the shards are fixed."""

    def changes(self, batch: Batch, changes: Changes) -> Changes:
        """Return the changes as they are."""
        return changes
