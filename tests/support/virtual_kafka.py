"""A system on Kafka's adapter, on virtual time, with a real database; Kafka is a list.

The test decides if a record is acknowledged or fails.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from order_sagas.actors.messages import Message
from order_sagas.bridges.kafka.consumer_listener import Batch, ShardOwner
from order_sagas.bridges.kafka.errors import KafkaClientError
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.processor.kafka import KafkaLogAdapter
from order_sagas.bridges.records.record import Outgoing, Record
from tests.support.embedded import EmbeddedSystem
from tests.support.kafka_ports import ScriptedClient, ScriptedConsumer, ScriptedProducer

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


class _Producer(ScriptedProducer):
    """Publishes records at once, with the outcomes that the test has set."""

    def __init__(self, broker: VirtualBroker) -> None:
        super().__init__()
        self._broker = broker

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        """Append the records to the broker, except those that it refuses."""
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


class _Consumer(ScriptedConsumer):
    """Owns every shard, and passes each record on as it is appended."""

    def __init__(self, owner: ShardOwner, broker: VirtualBroker) -> None:
        super().__init__(owner)
        self._broker = broker

    def start(self) -> None:
        """Assign every shard, and read all records: the adapter drops what it has handled."""
        self._broker.on_record = self._read
        self.rewind(frozenset(range(self._broker.partitions)))

    def rewind(self, shards: frozenset[int]) -> None:
        """Assign the shards again, and read all records again."""
        self.owner.on_assigned(shards)
        for record in self._broker.records:
            self._read(record)

    def _read(self, record: Record) -> None:
        if record.topic != DEAD_LETTERS:
            self.owner.on_batch(Batch([record], frozenset([record.partition])))


class _Client(ScriptedClient):
    """Implements `ClientPort` on a broker, for every life of a worker."""

    def __init__(self, broker: VirtualBroker) -> None:
        super().__init__()
        self._broker = broker

    def producer(self) -> _Producer:
        """Return a producer."""
        return _Producer(self._broker)

    def consumer(
        self, topics: Sequence[str], owner: ShardOwner, max_batch: int, max_outstanding: int
    ) -> _Consumer:
        """Return a consumer."""
        return _Consumer(owner, self._broker)


class VirtualKafkaSystem(EmbeddedSystem):
    """Like `EmbeddedSystem`, on a broker instead of the embedded log."""

    def __init__(self, directory: Path, **how: Any) -> None:
        super().__init__(directory, **how)
        self.broker = VirtualBroker(self.settings.partitions)
        self.parts = evolve(self.parts, adapter=KafkaLogAdapter, log=_Client(self.broker))

    def put(self, *messages: Message, topic: str = "") -> None:
        """Append messages to their topics, and run."""
        for message in messages:
            self.broker.append(self.inputs.message(message, topic))
        self.run()

    def outbox(self) -> list[Outgoing]:
        """Return the records in the outbox, oldest first."""
        shards = [*range(self.settings.partitions)]
        return [row for _, row in self.store.outbox.unpublished(shards, self.store.consumer)]
