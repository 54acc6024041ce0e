"""Deferral: messages for a paused service are kept in the database, and delivered afterwards.

Order is kept: deferred messages are delivered before anything newer for the same receiver, which
is deferred too until then. The outcome of a call, which no topic carries, stays in memory: after a
restart the call is made again, from the entity that is `pending`.
"""

from collections.abc import Callable

import structlog
from msgspec.structs import replace

from order_sagas.actors.messages import Message
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.deferred import INTAKE, DeferredRecord, Pause

log = structlog.get_logger("processor")

LOOK_SECONDS = 1.0
"""Seconds between reads of the pauses, while an ended one may have deferred messages."""


class Deferral:
    """Tracks which services are paused; defers their messages, and returns those to deliver.

    `pauses_changed` is called when the set of deferred receivers may have changed.
    """

    def __init__(self, parts: SharedParts, pauses_changed: Callable[[], None]) -> None:
        self._context = parts.context
        self._ownership = parts.ownership
        self._receivers = parts.receivers
        self._dead_letters = parts.dead_letters
        self._decoder = parts.decoder
        self._pauses_changed = pauses_changed
        self._pauses: dict[str, Pause] = {}
        """Current pauses, by service."""
        self._ending: dict[str, float] = {}
        """Services whose pause has ended but which may still have deferred messages, mapped to the
        end of the pause (seconds since the epoch)."""
        self._deferred_orders: set[str] = set()
        """Orders deferred by a pause of the intake; messages about them are deferred too."""
        self._looked = False
        self._pauses_since: float | None = None
        """Pauses that ended before this moment (epoch seconds) affect no saga in flight."""
        self.pending: set[str] = set()
        """Names of the pauses for which messages of the owned shards may be deferred."""
        self.holding: frozenset[str] = frozenset()
        """Names whose messages are deferred: they are paused, or older messages are deferred."""
        self.look_due = False
        """Whether to read the pauses from the database before the next batch."""

    # --- pauses -------------------------------------------------------------------------------

    @property
    def ending(self) -> bool:
        """Whether deferred messages of an ended pause may be undelivered."""
        return bool(self._ending)

    def look(self) -> None:
        """Read from the database which services are paused, and which pauses have ended.

        Raises StoreUnavailableError; the read is then repeated before the next batch.
        """
        outages, now = self._context.outages, self._context.clock.now()
        table = self._context.store.deferred
        if self._pauses_since is None:
            self._pauses_since = min(now, self._context.store.outages.oldest())
        found = table.pauses(self._pauses_since)
        lasting = {pause.name: pause for pause in found if pause.until is None}
        if not self._looked:
            self._looked = True
            for pause in found:
                if pause.until is not None:
                    outages.paused(pause.name, pause.since, pause.until)
                    self._ending[pause.name] = pause.until
        for name, pause in lasting.items():
            if name not in self._pauses:
                log.warning("service.paused", service=name, by=pause.by, why=pause.why)
                outages.pause(name, min(pause.since, now))
        over = self._pauses.keys() - lasting.keys()
        for pause in reversed(found):  # the newest of a name first
            if pause.name in over and pause.until is not None:
                over.discard(pause.name)
                log.warning(
                    "service.unpaused", service=pause.name, by=pause.ended_by, why=pause.ended_why
                )
                self._ending[pause.name] = pause.until
        self._pauses = lasting
        for name, since in [*self._ending.items()]:
            if name not in lasting and table.any_for(name):
                outages.pause(name, since)  # after a restart: deferred messages are left
                continue
            del self._ending[name]
            if name not in lasting:
                outages.unpause(name, now)
        self._hold()
        self.look_due = False  # only now: a read that failed is repeated

    def shards_gained(self) -> None:
        """Read from the database for which pauses the owned shards have deferred messages."""
        if self._context.journal:
            self._context.journal.recall(self._context.outages, self._context.clock.now())
        table, shards = self._context.store.deferred, [*self._ownership.epochs]
        ours = [*self._receivers]
        self.pending = table.targets(shards, ours)
        if INTAKE in self.pending:
            self._deferred_orders = table.orders(INTAKE, shards, ours)
        else:
            self._deferred_orders = set()
        self._hold()

    def _hold(self) -> None:
        self.holding = frozenset(self.pending | self._pauses.keys())
        self._pauses_changed()

    # --- deferring ----------------------------------------------------------------------------

    def defer(self, batch: Batch, items: list[Item], passed: str = "") -> list[Item]:
        """Defer items for paused services; return the others. `passed` is a pause to ignore."""
        kept = []
        for item in items:
            routes = []
            for route in item.routes:
                target = self._held_by(item.message, route, passed)
                if not target or route.receiver not in self._receivers:
                    routes.append(route)
                    continue
                batch.deferred.append(self._as_deferred(item, route, target))
                self.pending.add(target)
                if target == INTAKE:
                    self._deferred_orders.add(item.message.order_id)
            if len(routes) == len(item.routes):
                kept.append(item)
            elif routes:
                kept.append(replace(item, routes=tuple(routes)))
        return kept

    def _held_by(self, message: Message, route: Route, passed: str) -> str:
        """Name of the pause that defers this delivery, or "" if none does."""
        holding = self.holding
        if INTAKE in holding and passed != INTAKE:
            # All messages of a new order are deferred; a message of a saga may start another one.
            begins = type(message) in self._context.registry.started_by and (
                route.receiver == ORCHESTRATOR or not message.saga_id
            )
            if begins or message.order_id in self._deferred_orders:
                return INTAKE
        return route.receiver if route.receiver in holding else ""

    def _as_deferred(self, item: Item, route: Route, target: str) -> DeferredRecord:
        message, partitions = item.message, self._context.store.partitions
        key = route.keyed_by(message).encode()
        partition = partition_for(key, partitions)
        record = item.record or Record(
            item.topic, partition, -1, key, self._context.wire.encode(message)
        )
        return DeferredRecord(partition, target, route.receiver, message.order_id, record)

    # --- delivering what was deferred ---------------------------------------------------------

    def take(self, batch: Batch, limit: int) -> list[Item]:
        """Return at most `limit` deferred messages of services no longer paused, oldest first."""
        due = self.pending - self._pauses.keys()
        if not due:
            return []
        target = min(due)
        rows = self._context.store.deferred.next(
            target, [*self._ownership.epochs], [*self._receivers], limit
        )
        if len(rows) < limit:
            self._drained(target)
        items = []
        for number, receiver, record in rows:
            batch.redelivered.append(number)
            item = self._as_item(batch, receiver, record)
            if item:
                items.append(item)
        if target != INTAKE:
            return items
        return self.defer(batch, items, passed=INTAKE)

    def _drained(self, target: str) -> None:
        """The batch has the last deferred messages of this pause: stop deferring newer ones."""
        self.pending.discard(target)
        if target == INTAKE:
            self._deferred_orders.clear()
        self._hold()
        self.look_due = True

    def _as_item(self, batch: Batch, receiver: str, record: Record) -> Item | None:
        try:
            message, routes = self._decoder.decode(record)
            for route in routes:
                if route.receiver == receiver:
                    return Item(message, record.topic, record, (route,))
            raise UnreadableRecordError(f"{receiver} takes no {type(message).__name__} any more")
        except UnreadableRecordError as error:
            self._dead_letters.write(batch, record, str(error))
            return None
