"""Reads the items of a batch: outcomes of calls, deferred messages, and new records."""

from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.processor.approval_gate import ApprovalGate
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.deferral import Deferral
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.outcome_queue import Outcome, OutcomeQueue
from order_sagas.bridges.processor.owed_calls import OwedCalls
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.records.routing import ORCHESTRATOR, TO_DEAD_LETTERS


class BatchReader:
    """Reads at most `batch_size` items for a batch, and decodes the records among them.

    A record that cannot be decoded becomes a dead letter; one whose key belongs to a shard of
    another worker is forwarded to the partition of that shard.
    """

    def __init__(
        self,
        parts: SharedParts,
        deferral: Deferral,
        outcomes: OutcomeQueue,
        calls: ExternalCalls,
        owed: OwedCalls,
        gate: ApprovalGate | None = None,
    ) -> None:
        self._context = parts.context
        self._ownership = parts.ownership
        self._receivers = parts.receivers
        self._log = parts.log_adapter
        self._dead_letters = parts.dead_letters
        self._decoder = parts.decoder
        self._deferral = deferral
        self._outcomes = outcomes
        self._calls = calls
        self._owed = owed
        self._gate = gate

    def read(self, batch: Batch, *, stopping: bool) -> list[Item]:
        """Return the items of a batch; if `stopping`, only outcomes. Empty if there are none."""
        adapter, deferral, decode = self._log, self._deferral, self._decoder.decode
        items: list[Item] = []
        outcomes: list[Item] = []
        if self._owed.waiting:
            self._remind(stopping=stopping)
        size = self._context.batch_size
        if self._outcomes:
            # At most half the batch while records wait; an odd one alternates.
            outcomes = self._take_outcomes(batch, (size + batch.number % 2) // 2)
        if not stopping:
            limit = size - len(outcomes)
            kept = deferral.take(batch, limit) if deferral.pending and limit else []
            # Deferred records come first; new ones are read only if there are none.
            taken = () if batch.redelivered or not limit else adapter.poll(batch, limit)
            selective = adapter.selective
            for record in taken:
                batch.records += 1
                try:
                    message, routes = decode(record)
                except UnreadableRecordError as error:
                    # Only one role writes dead letters, or there would be one for each role.
                    if (
                        adapter.routes_here(batch, record, None, TO_DEAD_LETTERS)
                        if selective
                        else ORCHESTRATOR in self._receivers
                    ):
                        self._dead_letters.write(batch, record, str(error))
                    continue
                if selective:
                    routes = adapter.routes_here(batch, record, message, routes)
                    if not routes:
                        continue
                item = Item(message, record.topic, record, routes)
                key = adapter.elsewhere(item)
                if key is None:
                    items.append(item)
                else:
                    self._forward(batch, item, key)
            if self._gate and items:
                items = self._gate.pass_on(batch, items)
            if deferral.holding:
                items = deferral.defer(batch, items)
            items = kept + items
        if self._outcomes:
            room = size - len(outcomes) - batch.records - len(batch.redelivered)
            outcomes += self._take_outcomes(batch, room)
        items += outcomes
        return items

    def _take_outcomes(self, batch: Batch, limit: int) -> list[Item]:
        """Take at most `limit` outcomes and reminders; keep those that cannot be handled now."""
        queue, calls, inside = self._outcomes, self._calls, self._context.routes.inside
        holding, elsewhere = self._deferral.holding, self._log.elsewhere
        items: list[Item] = []
        while len(items) < limit and queue:
            outcome = queue.pop()
            message = outcome.message
            item = Item(message, "", None, inside(type(message)))
            if holding and any(route.receiver in holding for route in item.routes):
                queue.defer(outcome)
            elif elsewhere(item) is None:
                batch.outcomes.append(outcome)
                items.append(item)
            else:
                # It is used if the shard is gained again; another owner makes the call again.
                batch.look_again = True  # its capacity is free
                if outcome.call:
                    calls.set_aside(outcome.call)
                given_up = queue.set_aside(outcome)
                if given_up and given_up.call:
                    calls.settled((given_up.call,))
        return items

    def _forward(self, batch: Batch, item: Item, key: bytes) -> None:
        """Forward an item's record, unchanged, to the partition of its entity's shard."""
        record = item.record
        assert record is not None
        if not self._log.forwards(item):
            return
        partition = partition_for(key, self._context.store.partitions)
        outgoing = Outgoing(record.topic, partition, key, record.value, record.headers)
        self._log.emit(batch, outgoing, record.partition)

    def _remind(self, *, stopping: bool) -> None:
        """Queue reminders of pending calls, at most a batch of them."""
        room = self._context.batch_size - len(self._outcomes)
        if room > 0 and not stopping:
            for reminder in self._owed.next(
                room, [*self._ownership.epochs], self._deferral.holding
            ):
                self._outcomes.put(Outcome(reminder))
