"""A system on Kafka's adapter, on virtual time, with a real database; Kafka is a list.

The test decides if a record is acknowledged or fails.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from attrs import evolve

from order_sagas.actors.messages import Message
from order_sagas.bridges.kafka.consumer_listener import Batch as Handover
from order_sagas.bridges.kafka.errors import KafkaClientError
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.processor.kafka import (
    KafkaLogAdapter,
    RecordsRead,
    ShardsAssigned,
    _Owner,
)
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing, Record
from tests.support.embedded import EmbeddedSystem

DEAD_LETTERS = "dead-letters"
Answer = Callable[[Outgoing], KafkaClientError | None]


class VirtualBroker:
    """The records in Kafka, which outlive the workers."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.records: list[Record] = []
        self.answer: Answer = lambda record: None
        self.attempts: list[list[Outgoing]] = []
        """The records of each publication."""
        self.on_record: Callable[[Record], None] = lambda record: None
        self._ends: dict[tuple[str, int], int] = defaultdict(int)

    def append(self, record: Outgoing) -> None:
        """Append a record."""
        place = (record.topic, record.partition)
        offset = self._ends[place]
        self._ends[place] += 1
        read = Record(*place, offset, record.key, record.value, record.headers)
        self.records.append(read)
        self.on_record(read)

    def of(self, topic: str) -> list[Record]:
        """Return the records of a topic, oldest first."""
        return [record for record in self.records if record.topic == topic]


class _Writer:
    def __init__(self, broker: VirtualBroker) -> None:
        self._broker = broker

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        """Publish records, with the outcomes that the test has set."""
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
        """Do nothing: there is no connection."""


class _Reader:
    def __init__(self, adapter: "VirtualKafka") -> None:
        self._adapter = adapter

    def rewind(self, shards: frozenset[int]) -> None:
        self._adapter.assign()

    def done(self, handover: Handover) -> None:
        """Do nothing: there is no limit of outstanding records."""

    def report(self, offsets: Any) -> None:
        """Do nothing: the lag is not used."""

    def released(self, shards: frozenset[int]) -> None:
        """Do nothing: no other worker waits for the shards."""

    def stop(self, *, finished: bool) -> None:
        """Do nothing: no thread runs."""


class VirtualKafka(KafkaLogAdapter):
    """Reads and writes the broker of its class; it owns every shard."""

    broker: VirtualBroker

    def open(self) -> None:
        self._writer = _Writer(self.broker)  # type: ignore[assignment]
        self._reader = _Reader(self)  # type: ignore[assignment]
        self._owner = _Owner(self._context.tell)
        self._offsets = self._offsets_of_roles("virtual")
        self.broker.on_record = self._read
        self.assign()

    def assign(self) -> None:
        """Own every shard, and read everything: the bridge leaves out what it has handled."""
        self._context.tell(ShardsAssigned(frozenset(range(self.broker.partitions)), Future()))
        for record in self.broker.records:
            self._read(record)

    def _read(self, record: Record) -> None:
        if record.topic != DEAD_LETTERS:
            self._context.tell(RecordsRead(Handover([record], frozenset([record.partition]))))


class VirtualKafkaSystem(EmbeddedSystem):
    """Like `EmbeddedSystem`, on a broker instead of the embedded log."""

    def __init__(self, directory: Path, **how: Any) -> None:
        super().__init__(directory, **how)
        self.broker = VirtualBroker(self.settings.partitions)
        adapter = type("Adapter", (VirtualKafka,), {"broker": self.broker})
        self.parts = evolve(self.parts, adapter=adapter)

    def put(self, *messages: Message, topic: str = "") -> None:
        """Append messages to their topics, and run."""
        for message in messages:
            key = message.order_id.encode()
            partition = partition_for(key, self.settings.partitions)
            value = msgspec.json.encode(message)
            name = topic or self._topics[type(message)]
            self.broker.append(Outgoing(name, partition, key, value))
        self.run()

    def outbox(self) -> list[Outgoing]:
        """Return the records in the outbox, oldest first."""
        shards = [*range(self.settings.partitions)]
        return [row for _, row in self.store.unpublished(shards, self.store.consumer)]
