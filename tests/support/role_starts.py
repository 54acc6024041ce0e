"""One embedded database, started with one set of roles after another, and who handled what."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs
import msgspec

from actors.messages import LoadStock, OrderLine
from bridges.batch import Batch
from bridges.bridge import Bridge
from bridges.embedded import EmbeddedBridge
from bridges.partitions import partition_for
from bridges.record import Outgoing
from bridges.store import queries
from bridges.store.store import Changes
from system.settings.model import ROLES
from tests.support.embedded import Crash, EmbeddedSystem, an_order

PARTITIONS = 4
STEP = 2.0
"""Seconds of virtual time between two looks at the timers."""
ALL = ROLES


class HandledCounter:
    """Counts how often each receiver has handled each record, in committed batches."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Any]] = Counter()
        self._batch: Batch | None = None

    def bridge(self) -> type[Bridge]:
        """A bridge to the embedded log whose batches are counted."""
        counter = self

        class CountedBridge(EmbeddedBridge):
            def changes(self, batch: Batch) -> Changes:
                counter._batch = batch
                return super().changes(batch)

        return CountedBridge

    def reached(self, point: str) -> None:
        """A bridge has come to this point."""
        if point == "after commit" and self._batch:
            for ticket in self._batch.tickets:
                item = ticket.item
                # An event id that is not ours is the record's place, which a copy of it has not.
                ours = item.message.schema_version
                name = item.message.event_id if ours or not item.record else item.record.value
                self.counts[ticket.route.receiver, name] += 1

    @property
    def repeated(self) -> dict[tuple[str, Any], int]:
        """What was handled more than once."""
        return {what: times for what, times in self.counts.items() if times > 1}


class RoleStarts:
    """One or two workers, of which each has its shards; both run the same roles at a time.

    With `watch`, it is told of each point at which a crash would matter, and may raise Crash.
    """

    def __init__(
        self,
        directory: Path,
        workers: int = 1,
        watch: Callable[[str], None] = lambda point: None,
        **settings: Any,
    ) -> None:
        settings = {"partitions": PARTITIONS, **settings}
        every = range(PARTITIONS)
        shares: Sequence[frozenset[int] | None] = (
            [None] if workers == 1 else [frozenset(every[i::workers]) for i in range(workers)]
        )
        self.handled = HandledCounter()

        def reached(point: str) -> None:
            self.handled.reached(point)
            watch(point)

        self.systems = [
            EmbeddedSystem(directory, settings=settings, shards=shards, watch=reached)
            for shards in shares
        ]
        self.first = self.systems[0]
        self.clock = self.first.clock
        for system in self.systems:
            system.clock = self.clock
            bridge = self.handled.bridge()
            system.parts = attrs.evolve(system.parts, clock=self.clock, bridge=bridge)
        self.orders: list[str] = []
        self.crashes = 0

    def __enter__(self) -> "RoleStarts":
        self.first.capture_logs()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for system in self.systems:
            system.__exit__()

    def start(self, roles: Iterable[str] = ALL) -> None:
        """Start the workers with these roles; those that run are stopped first."""
        self.stop()
        for system in self.systems:
            settings = attrs.evolve(system.parts.settings, roles=tuple(roles))
            system.parts = attrs.evolve(system.parts, settings=settings)
            self._alive(system, system.start)
        self.run()

    def stop(self) -> None:
        """Stop them in good order."""
        for system in self.systems:
            if system.running:
                self._alive(system, system.stop)
            system.crash()

    def kill(self) -> None:
        """End them at once."""
        for system in self.systems:
            system.crash()

    def run(self) -> None:
        """Let them do what takes no time, until none can do more."""
        before: object = None
        while before != (before := (self._records(), self.crashes)):
            for system in self.systems:
                self._alive(system, system.run)

    def advance(self, seconds: float, step: float = STEP) -> None:
        """Let time pass in steps, so that timers fire a little late, and what is due happen."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            self.run()

    def load(self, pens: int) -> None:
        """Let goods arrive."""
        lines = (OrderLine(sku="PEN", quantity=pens),)
        load = LoadStock(order_id="delivery", lines=lines)
        self.append("stock-events", "main", msgspec.json.encode(load))
        self.run()

    def order(self, count: int = 1) -> None:
        """Submit orders: their records are in the log, and nothing happens yet."""
        for _ in range(count):
            order_id = f"o-{len(self.orders)}"
            self.orders.append(order_id)
            self.append("order-events", order_id, msgspec.json.encode(an_order(order_id)))

    def append(self, topic: str, key: str, value: bytes) -> None:
        """Append any record."""
        raw = key.encode()
        self.first.append(Outgoing(topic, partition_for(raw, PARTITIONS), raw, value))

    def statuses(self) -> list[str]:
        """Those of the orders' sagas, in the order in which they were submitted."""
        return [self.first.status(order_id) for order_id in self.orders]

    def letters(self) -> Counter[bytes | None]:
        """How often each record stands among the dead letters."""
        return Counter(value for _, _, value, _ in self.first.log.letters())

    def waiting(self) -> dict[str, int]:
        """Records that wait, by topic."""
        with queries.reading(self.first.settings.database) as db:
            return queries.waiting(db)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return [*self.first.log.db.rows(sql, ())]

    def ignored(self) -> list[dict[str, Any]]:
        """What sagas were told and had no use for."""
        lines = [msgspec.json.decode(line) for line in self.first.logged.lines]
        return [line for line in lines if line["event"] == "saga.message_ignored"]

    def _records(self) -> int:
        ((count,),) = self.rows("SELECT coalesce(max(position), 0) FROM log")
        return int(count)

    def _alive(self, system: EmbeddedSystem, act: Callable[[], object]) -> None:
        """Do it, and start the worker again if it died of it."""
        try:
            act()
        except Crash:
            self.crashes += 1
            system.crash()
            self._alive(system, system.start)
