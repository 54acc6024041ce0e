"""A system on KafkaBridge, on virtual time: the bridge and the database are real, Kafka is a list.

The broker answers each record as the test says: acknowledged, or with an error.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from attrs import evolve

from actors.messages import Message
from bridges.kafka.bridge import KafkaBridge, RecordsRead, ShardsAssigned, _Owner
from bridges.kafka.errors import KafkaBridgeError
from bridges.kafka.owner import Batch as Handover
from bridges.kafka.publication import Publication
from bridges.partitions import partition_for
from bridges.record import Outgoing, Record
from tests.support.embedded import EmbeddedSystem

DEAD_LETTERS = "dead-letters"
Answer = Callable[[Outgoing], KafkaBridgeError | None]


class VirtualBroker:
    """What Kafka has, which survives any worker."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.records: list[Record] = []
        self.answer: Answer = lambda record: None
        self.attempts: list[list[Outgoing]] = []
        """What each publication asked for."""
        self.on_record: Callable[[Record], None] = lambda record: None
        self._ends: dict[tuple[str, int], int] = defaultdict(int)

    def append(self, record: Outgoing) -> None:
        """Take a record."""
        place = (record.topic, record.partition)
        offset = self._ends[place]
        self._ends[place] += 1
        read = Record(*place, offset, record.key, record.value, record.headers)
        self.records.append(read)
        self.on_record(read)

    def of(self, topic: str) -> list[Record]:
        """The records of a topic, oldest first."""
        return [record for record in self.records if record.topic == topic]


class _Writer:
    def __init__(self, broker: VirtualBroker) -> None:
        self._broker = broker

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        publication = Publication(len(records))
        self._broker.attempts.append([*records])
        for place, record in enumerate(records):
            error = self._broker.answer(record)
            if error is None:
                self._broker.append(record)
                publication.settle(1)
            else:
                publication.fail(place, error)
        return publication

    def close(self) -> None:
        """Nothing is open."""


class _Reader:
    def __init__(self, bridge: "VirtualKafkaBridge") -> None:
        self._bridge = bridge

    def rewind(self, shards: frozenset[int]) -> None:
        self._bridge.assign()

    def done(self, handover: Handover) -> None:
        """There is room without it."""

    def report(self, offsets: Any) -> None:
        """Nobody asks for a lag."""

    def released(self, shards: frozenset[int]) -> None:
        """Nobody else waits for them."""

    def stop(self, *, finished: bool) -> None:
        """Nothing runs."""


class VirtualKafkaBridge(KafkaBridge):
    """Reads and writes the broker of its class; it owns every shard."""

    broker: VirtualBroker

    def open_log(self) -> None:
        self._writer = _Writer(self.broker)  # type: ignore[assignment]
        self._reader = _Reader(self)  # type: ignore[assignment]
        self._owner = _Owner(self._world.tell)
        self._offsets = self._offsets_of_roles("virtual")
        self.broker.on_record = self._read
        self.assign()

    def assign(self) -> None:
        """Own every shard, and read everything: the bridge leaves out what it has handled."""
        self._world.tell(ShardsAssigned(frozenset(range(self.broker.partitions)), Future()))
        for record in self.broker.records:
            self._read(record)

    def _read(self, record: Record) -> None:
        if record.topic != DEAD_LETTERS:
            self._world.tell(RecordsRead(Handover([record], frozenset([record.partition]))))


class VirtualKafkaSystem(EmbeddedSystem):
    """As EmbeddedSystem, on a broker instead of the embedded log."""

    def __init__(self, directory: Path, **how: Any) -> None:
        super().__init__(directory, **how)
        self.broker = VirtualBroker(self.settings.partitions)
        bridge = type("Bridge", (VirtualKafkaBridge,), {"broker": self.broker})
        self.parts = evolve(self.parts, bridge=bridge)

    def put(self, *messages: Message, topic: str = "") -> None:
        for message in messages:
            key = message.order_id.encode()
            partition = partition_for(key, self.settings.partitions)
            value = msgspec.json.encode(message)
            name = topic or self._topics[type(message)]
            self.broker.append(Outgoing(name, partition, key, value))
        self.run()

    def outbox(self) -> list[Outgoing]:
        """What the database has for Kafka, oldest first."""
        shards = [*range(self.settings.partitions)]
        return [row for _, row in self.store.unpublished(shards, self.store.consumer)]
