"""Early replies: kept until the saga has begun, or has sent the step that they answer.

A reply may overtake what it answers: the partitions of two topics are read independently, and a
person or another system may answer before being asked. Such a reply is stored in the commit that
moves the offset past it, and delivered in the batch in which its saga gets to the step. If that
does not happen in time, or the saga ends without it, it becomes a dead letter.
"""

from collections.abc import Iterable
from typing import Any

import structlog

from order_sagas.actors.messages import Message, status
from order_sagas.actors.protocol import NO_BATCH
from order_sagas.actors.sagas.state import IDLE, SKIPPED, SagaState
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.records.routing import ORCHESTRATOR
from order_sagas.bridges.storage.early_replies import EarlyReply

log = structlog.get_logger("processor")


class EarlyReplies:
    """Tracks the early replies of the owned shards, and decides what becomes of them."""

    def __init__(self, parts: SharedParts) -> None:
        self._context = parts.context
        self._ownership = parts.ownership
        self._receivers = parts.receivers
        self._dead_letters = parts.dead_letters
        self._known: dict[str, dict[str, EarlyReply]] = {}
        """What is kept, by order and by its id."""
        self.count = 0
        """How many are kept."""
        self._tried: dict[str, int] = {}
        """The progress (`seq`) of the saga at which each was delivered in the batch `_batch`."""
        self._batch = NO_BATCH

    def shards_gained(self) -> None:
        """Read from the database what is kept for the owned shards."""
        self._known, self.count = {}, 0
        if ORCHESTRATOR in self._receivers:
            for each in self._context.store.early.of([*self._ownership.epochs]):
                self._note(each)

    def shards_lost(self) -> None:
        """Forget what is kept for orders of shards that are owned no longer."""
        epochs = self._ownership.epochs
        every = [each for kept in self._known.values() for each in kept.values()]
        self._known, self.count = {}, 0
        for each in every:
            if each.shard in epochs:
                self._note(each)

    @property
    def next_expiry(self) -> float:
        """When the oldest reply has been kept for long enough (epoch seconds), or infinity."""
        kept = (each.at for kept in self._known.values() for each in kept.values())
        return min(kept, default=float("inf")) + self._context.keep_early_replies

    def keep(self, batch: Batch, item: Item, reason: str) -> None:
        """Keep a reply that no saga could take yet; `reason` says why."""
        context, message = self._context, item.message
        partitions = context.store.partitions
        key = message.order_id.encode()
        shard = partition_for(key, partitions)
        record = item.record or Record(
            item.topic, shard, -1, key, context.wire.encode(message), (), context.clock.now()
        )
        if not context.keep_early_replies:
            error = f"{reason}, and early replies are not kept"
            self._dead_letters.write(batch, record, error, message=message)
            return
        if self.count >= context.most_early_replies:
            most = f"{context.most_early_replies:,}"
            error = f"{reason}, and {most} early replies are kept already"
            self._dead_letters.write(batch, record, error, message=message)
            return
        early = EarlyReply(shard, message.order_id, record, context.clock.now())
        if early.id in self._known.get(message.order_id, ()):
            return
        self._note(early)
        batch.early[early.id] = early
        log.info(
            "reply.kept", order_id=message.order_id, status=status(message), reason=reason,
            cause=message.event_id,
        )  # fmt: skip

    def due(self, batch: Batch) -> list[Item]:
        """Take what the sagas that this batch has changed can take now, to be delivered.

        What they will never take becomes a dead letter.
        """
        items = []
        if batch.number != self._batch:
            self._batch, self._tried = batch.number, {}
        for saga in batch.sagas.values():
            for each in [*self._known.get(saga.order_id, {}).values()]:
                if self._tried.get(each.id) == saga.seq:
                    continue  # the saga has not moved since
                item = self._item(batch, each)
                if item is None:
                    continue
                verdict = self._verdict(saga, item.message)
                if verdict is True:
                    self._tried[each.id] = saga.seq
                    self._settle(batch, each)
                    items.append(item)
                elif verdict:
                    self._give_up(batch, each, verdict, item.message)
        return items

    def expire(self, batch: Batch) -> None:
        """Make dead letters of what has been kept for long enough."""
        keep = self._context.keep_early_replies
        end = self._context.clock.now() - keep
        for kept in [*self._known.values()]:
            for each in [*kept.values()]:
                if each.at <= end:
                    self._give_up(
                        batch, each, f"a reply that came too early and was kept for {keep:g} s"
                    )

    def _verdict(self, saga: SagaState, message: Message) -> bool | str:
        """Whether a saga can take a reply now, or the reason why it never will."""
        definition = self._context.registry.get(saga.saga, saga.version)
        if message.saga_id not in ("", saga.saga_id):
            return False
        rows = [i for i, kind in definition.answers.get(type(message), ()) if kind != "undone"]
        if message.step:
            named = definition.row_named(message.step)
            rows = [i for i in rows if definition.rows[i] is named] or rows
        if not rows:
            return False
        phases = {saga.steps[i].phase for i in rows}
        if phases - {IDLE, SKIPPED}:
            return True
        if saga.code and any(definition.rows[i].is_done_by_event for i in rows):
            return True  # what its participant did has to be undone
        if saga.ended or phases == {SKIPPED}:
            names = " or ".join(repr(definition.rows[i].name) for i in rows)
            return f"a reply to {names} that came too early, and the saga never sent that step"
        return False

    def _item(self, batch: Batch, each: EarlyReply) -> Item | None:
        context, record = self._context, each.record
        try:
            message = context.wire.decode(record)
        except UnreadableRecordError as error:
            self._give_up(batch, each, str(error))
            return None
        routes: Iterable[Any] = context.routes.of(record.topic, type(message))
        ours = tuple(route for route in routes if route.receiver == ORCHESTRATOR)
        if not ours:
            self._give_up(batch, each, f"no saga takes {type(message).__name__} any more")
            return None
        return Item(message, record.topic, record, ours)

    def _give_up(
        self, batch: Batch, each: EarlyReply, reason: str, message: Message | None = None
    ) -> None:
        self._settle(batch, each)
        self._dead_letters.write(batch, each.record, reason, message=message)

    def _note(self, each: EarlyReply) -> None:
        self._known.setdefault(each.order_id, {})[each.id] = each
        self.count += 1

    def _settle(self, batch: Batch, each: EarlyReply) -> None:
        """Delete it in the commit of the batch."""
        kept = self._known[each.order_id]
        del kept[each.id]
        if not kept:
            del self._known[each.order_id]
        self.count -= 1
        if batch.early.pop(each.id, None) is None:
            batch.settled.append(each.id)
