"""An owner of shards that records all calls of the consumer."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from order_sagas.bridges.kafka import Batch, TopicReader
from order_sagas.bridges.kafka.consumer_listener import Extent
from order_sagas.bridges.records.record import Record


class RecordingOwner:
    """Settles and releases at once, unless told to hold. Stores offsets as a database would."""

    def __init__(self, offsets: dict[tuple[str, int], int] | None = None) -> None:
        self.reader: TopicReader
        self.offsets = {} if offsets is None else offsets
        """May be shared by several owners: then it is the database they have in common."""
        self.extents: dict[tuple[str, int], Extent] = {}
        self.holds_batches = False
        self.holds_shards = False
        self.shards: set[int] = set()
        self.records: list[Record] = []
        self.batches: list[Batch] = []
        self.events: list[tuple[str, frozenset[int]]] = []
        self.refuses_to_say_where = 0
        self._changed = threading.Condition()

    def on_assigned(self, shards: frozenset[int]) -> "Future[Mapping[tuple[str, int], int]]":
        if self.refuses_to_say_where:
            self.refuses_to_say_where -= 1
            raise ConnectionError("The database is away.")
        with self._changed:
            self.shards |= shards
        self._note("assigned", shards)
        positions: Future[Mapping[tuple[str, int], int]] = Future()
        positions.set_result(
            {place: at for place, at in self.offsets.items() if place[1] in shards}
        )
        return positions

    def on_extents(self, extents: Mapping[tuple[str, int], Extent]) -> None:
        self.extents.update(extents)

    def on_batch(self, batch: Batch) -> None:
        with self._changed:
            self.batches.append(batch)
            self.records.extend(batch.records)
            self._changed.notify_all()
        if not self.holds_batches:
            self.settle(batch)

    def on_revoked(self, shards: frozenset[int]) -> None:
        with self._changed:
            self.shards -= shards
        self._note("revoked", shards)
        if not self.holds_shards:
            self.reader.released(shards)

    def on_lost(self, shards: frozenset[int]) -> None:
        with self._changed:
            self.shards -= shards
        self._note("lost", shards)

    def on_connected(self) -> None:
        self._note("connected", frozenset())

    def on_disconnected(self, reason: str) -> None:
        self._note("disconnected", frozenset())

    def settle(self, batch: Batch) -> None:
        """Commit the batch's offsets, and report the batch as handled."""
        with self._changed:
            for record in batch.records:
                if record.partition in self.shards:
                    self.offsets[record.topic, record.partition] = record.offset + 1
        self.reader.done(batch)

    def wait_until(self, what: Callable[["RecordingOwner"], bool], timeout: float = 20) -> None:
        """Wait for the condition; fail after `timeout` seconds."""
        with self._changed:
            assert self._changed.wait_for(lambda: what(self), timeout), self.events

    def wait_for_records(self, count: int) -> list[Record]:
        """Wait for a number of records, and return them."""
        self.wait_until(lambda owner: len(owner.records) >= count)
        return self.records

    def wait_for(self, event: str, times: int = 1) -> frozenset[int]:
        """Wait until the event was reported `count` times; return the shards of the last one."""
        self.wait_until(lambda owner: owner.count(event) >= times)
        return [shards for name, shards in self.events if name == event][-1]

    def wait_for_shards(self, count: int) -> None:
        """Wait until it owns this number of shards."""
        self.wait_until(lambda owner: len(owner.shards) == count)

    def count(self, event: str) -> int:
        """How often an event was reported."""
        return sum(name == event for name, _ in self.events)

    def values(self) -> dict[tuple[str, int], list[bytes | None]]:
        """The values read from each partition, in order."""
        read: dict[tuple[str, int], list[bytes | None]] = defaultdict(list)
        for record in self.records:
            read[record.topic, record.partition].append(record.value)
        return read

    def _note(self, event: str, shards: frozenset[int]) -> None:
        with self._changed:
            self.events.append((event, shards))
            self._changed.notify_all()
