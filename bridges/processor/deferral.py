"""A pause: what is for a paused service is kept in the database, and given to it afterwards.

Order is kept: what was kept is delivered before anything newer for the same receiver, which is
kept too until then. A message that no topic carries, the outcome of a call, stays in memory: after
a restart the call is made again, from what the entity owes.
"""

import structlog
from msgspec.structs import replace

from order_sagas.actors.messages import Message
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.shard_ownership import Shards
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.deferred import INTAKE, Parked, Pause

log = structlog.get_logger("bridge")

LOOK_SECONDS = 1.0
"""Between looks at whether a pause is over for every worker, once somebody ended it."""


class Parking(Shards):
    """Knows who is paused; keeps what comes for them, and delivers what was kept."""

    def __init__(self) -> None:
        super().__init__()
        self._pauses: dict[str, Pause] = {}
        """Those that last."""
        self._ending: dict[str, float] = {}
        """Those whose pause is over and for whom something may still be kept somewhere: since."""
        self._parked: set[str] = set()
        """For whose pauses something of our shards may be kept."""
        self._parked_orders: set[str] = set()
        """Orders that are kept at the intake: what comes for them comes after them."""
        self._holding: frozenset[str] = frozenset()
        """Whose messages are kept: because of a pause, or because older ones are."""
        self._look_due = False
        self._look_later = False
        self._looked = False
        self._pauses_since: float | None = None
        """Pauses that ended before this moment (epoch seconds) matter to no saga in flight."""

    def _dead_letter(
        self, batch: Batch, record: Record, error: str, details: str | None = None
    ) -> None:
        raise NotImplementedError

    # --- who is paused ------------------------------------------------------------------------

    def _look(self) -> None:
        """See in the database who is paused, and since when no more."""
        outages, now = self._world.outages, self._world.clock.now()
        table = self._world.store.parking
        if self._pauses_since is None:
            self._pauses_since = min(now, self._world.store.outages.oldest())
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
                outages.pause(name, since)  # if we are new: it still works off what was kept
                continue
            del self._ending[name]
            if name not in lasting:
                outages.unpause(name, now)
        self._hold()
        self._look_due = False  # only now: a look that the database refused is made again

    def gain(self, epochs: dict[int, int]) -> None:
        super().gain(epochs)
        if self._world.journal:
            self._world.journal.recall(self._world.outages, self._world.clock.now())
        table, shards = self._world.store.parking, [*self._epochs]
        ours = [*self._receivers]
        self._parked = table.targets(shards, ours)
        if INTAKE in self._parked:
            self._parked_orders = table.orders(INTAKE, shards, ours)
        else:
            self._parked_orders = set()
        self._hold()

    def _hold(self) -> None:
        self._holding = frozenset(self._parked | self._pauses.keys())
        self._outcomes.resume()  # those whose service is still paused are deferred again

    # --- what is kept -------------------------------------------------------------------------

    def _park(self, batch: Batch, items: list[Item], passed: str = "") -> list[Item]:
        """Keep what is for somebody who is paused; answers the rest. What was `passed` is open."""
        kept = []
        for item in items:
            routes = []
            for route in item.routes:
                target = self._held_by(item.message, route, passed)
                if not target or route.receiver not in self._receivers:
                    routes.append(route)
                    continue
                batch.parked.append(self._parked_as(item, route, target))
                self._parked.add(target)
                if target == INTAKE:
                    self._parked_orders.add(item.message.order_id)
            if len(routes) == len(item.routes):
                kept.append(item)
            elif routes:
                kept.append(replace(item, routes=tuple(routes)))
        return kept

    def _held_by(self, message: Message, route: Route, passed: str) -> str:
        """For whose pause a delivery is kept; for nobody's if it is empty."""
        holding = self._holding
        if INTAKE in holding and passed != INTAKE:
            # An order from outside waits whole; what one saga sends may start another.
            begins = type(message) in self._world.registry.started_by and (
                route.receiver == ORCHESTRATOR or not message.saga_id
            )
            if begins or message.order_id in self._parked_orders:
                return INTAKE
        return route.receiver if route.receiver in holding else ""

    def _parked_as(self, item: Item, route: Route, target: str) -> Parked:
        message, partitions = item.message, self._world.store.partitions
        key = route.keyed_by(message).encode()
        partition = partition_for(key, partitions)
        record = item.record or Record(
            item.topic, partition, -1, key, self._world.wire.encode(message)
        )
        return Parked(partition, target, route.receiver, message.order_id, record)

    # --- what was kept ------------------------------------------------------------------------

    def _unpark(self, batch: Batch, limit: int) -> list[Item]:
        """At most `limit` deferred messages of services that are no longer paused, oldest first."""
        due = self._parked - self._pauses.keys()
        if not due:
            return []
        target = min(due)
        rows = self._world.store.parking.next(target, [*self._epochs], [*self._receivers], limit)
        if len(rows) < limit:
            self._drained(target)
        items = []
        for number, receiver, record in rows:
            batch.unparked.append(number)
            item = self._as_item(batch, receiver, record)
            if item:
                items.append(item)
        if target != INTAKE:
            return items
        return self._park(batch, items, passed=INTAKE)

    def _drained(self, target: str) -> None:
        """All that was kept for it is in the batch that begins: newer messages may follow."""
        self._parked.discard(target)
        if target == INTAKE:
            self._parked_orders.clear()
        self._hold()
        self._look_due = True

    def _as_item(self, batch: Batch, receiver: str, record: Record) -> Item | None:
        world = self._world
        try:
            message = world.wire.decode(record)
            if world.tracing and record.headers and type(message) in world.registry.started_by:
                message = world.tracing.received(message, record.headers)
            for route in world.routes.of(record.topic, type(message)):
                if route.receiver == receiver:
                    return Item(message, record.topic, record, (route,))
            raise UnreadableRecordError(f"{receiver} takes no {type(message).__name__} any more")
        except UnreadableRecordError as error:
            self._dead_letter(batch, record, str(error))
            return None
