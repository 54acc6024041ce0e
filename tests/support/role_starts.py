"""An embedded database, started with several sets of roles, and a count of handled records."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs
import msgspec

from order_sagas.actors.messages import LoadStock, OrderLine
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.processor.log_adapter import AdapterFactory
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.changes import Changes
from order_sagas.system.order_app import APP
from tests.support.embedded import Crash, EmbeddedSystem, an_order

PARTITIONS = 4
STEP = 2.0
"""Virtual seconds between two checks of the timers."""
ALL = APP.roles


class HandledCounter:
    """Counts, by receiver and record, how often it was handled in committed batches."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Any]] = Counter()
        self._batch: Batch | None = None

    def adapter(self) -> AdapterFactory:
        """An adapter of the embedded log whose batches are counted."""
        counter = self

        class CountedLog(EmbeddedLogAdapter):
            def changes(self, batch: Batch, changes: Changes) -> Changes:
                counter._batch = batch
                return super().changes(batch, changes)

        return CountedLog

    def reached(self, point: str) -> None:
        """Handle a point that a batch processor has reached."""
        if point == "after commit" and self._batch:
            for ticket in self._batch.tickets:
                item = ticket.item
                # A generated event id contains the record's position, which differs for a copy.
                ours = item.message.schema_version
                name = item.message.event_id if ours or not item.record else item.record.value
                self.counts[ticket.route.receiver, name] += 1

    @property
    def repeated(self) -> dict[tuple[str, Any], int]:
        """Return everything that was handled more than once."""
        return {what: times for what, times in self.counts.items() if times > 1}


class RoleStarts:
    """One or two workers with separate shards, both with the same roles at a time.

    `watch` is called at each point where a crash is interesting, and may raise Crash.
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
            adapter = self.handled.adapter()
            system.parts = attrs.evolve(system.parts, clock=self.clock, adapter=adapter)
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
        """Start the workers with these roles; running ones are stopped first."""
        self.stop()
        for system in self.systems:
            settings = attrs.evolve(system.parts.settings, roles=tuple(roles))
            system.parts = attrs.evolve(system.parts, settings=settings)
            self._alive(system, system.start)
        self.run()

    def stop(self) -> None:
        """Stop the workers in good order."""
        for system in self.systems:
            if system.running:
                self._alive(system, system.stop)
            system.crash()

    def kill(self) -> None:
        """Crash the workers."""
        for system in self.systems:
            system.crash()

    def run(self) -> None:
        """Do everything that needs no time to pass."""
        before: object = None
        while before != (before := (self._records(), self.crashes)):
            for system in self.systems:
                self._alive(system, system.run)

    def advance(self, seconds: float, step: float = STEP) -> None:
        """Let time pass in steps, so that timers fire slightly late."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            self.run()

    def load(self, pens: int) -> None:
        """Add stock."""
        lines = (OrderLine(sku="PEN", quantity=pens),)
        load = LoadStock(order_id="delivery", lines=lines)
        self.append("stock-events", "main", msgspec.json.encode(load))
        self.run()

    def order(self, count: int = 1) -> None:
        """Append the records of orders to the log, without running."""
        for _ in range(count):
            order_id = f"o-{len(self.orders)}"
            self.orders.append(order_id)
            self.append("order-events", order_id, msgspec.json.encode(an_order(order_id)))

    def append(self, topic: str, key: str, value: bytes) -> None:
        """Append a record."""
        raw = key.encode()
        self.first.append(Outgoing(topic, partition_for(raw, PARTITIONS), raw, value))

    def statuses(self) -> list[str]:
        """Return the statuses of the sagas, in the order of submission."""
        return [self.first.status(order_id) for order_id in self.orders]

    def letters(self) -> Counter[bytes | None]:
        """Return the number of dead letters by record."""
        return Counter(value for _, _, value, _ in self.first.log.dead_letters.letters())

    def waiting(self) -> dict[str, int]:
        """Return the number of waiting records, by topic."""
        with queries.reading(self.first.settings.database) as db:
            return queries.waiting(db)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [*self.first.log.db.rows(sql, ())]

    def ignored(self) -> list[dict[str, Any]]:
        """Return the messages that sagas ignored."""
        lines = [msgspec.json.decode(line) for line in self.first.logged.lines]
        return [line for line in lines if line["event"] == "saga.message_ignored"]

    def _records(self) -> int:
        ((count,),) = self.rows("SELECT coalesce(max(position), 0) FROM log")
        return int(count)

    def _alive(self, system: EmbeddedSystem, act: Callable[[], object]) -> None:
        """Run an action, and restart the worker if it crashed in it."""
        try:
            act()
        except Crash:
            self.crashes += 1
            system.crash()
            self._alive(system, system.start)
