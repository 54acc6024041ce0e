"""A worker on fake Kafka ports that the test controls."""

from collections.abc import Mapping, Sequence
from typing import Any

from thespian.actors import ActorSystem

from order_sagas.bridges.kafka.consumer_listener import Batch, ShardOwner
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.processor.kafka import KafkaLogAdapter
from order_sagas.bridges.processor.messages import Report
from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.harness.faulty_database import Database
from order_sagas.system.order_app import APP
from order_sagas.system.runtime import EventLoopBase, VirtualClock
from order_sagas.system.settings import Settings

PARTITIONS = 8


class ScriptedConsumer:
    """Implements `ConsumerPort`, and records the calls of the owner."""

    def __init__(self, owner: ShardOwner) -> None:
        self.owner = owner
        self.settled: list[Batch] = []
        self.freed: list[frozenset[int]] = []
        self.rewound: list[frozenset[int]] = []
        self.reported: dict[tuple[str, int], int] = {}
        self.is_member = False

    def start(self) -> None:
        """Record the start: the test passes records."""
        self.is_member = True

    def stop(self, timeout: float = 30.0, *, finished: bool = False) -> None:
        """Record the stop: no thread runs."""
        self.is_member = False

    def done(self, batch: Batch) -> None:
        """Record a handled batch."""
        self.settled.append(batch)

    def released(self, shards: frozenset[int]) -> None:
        """Record released shards."""
        self.freed.append(shards)

    def rewind(self, shards: frozenset[int]) -> None:
        """Record a rewind."""
        self.rewound.append(shards)

    def report(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Record reported offsets."""
        self.reported.update(offsets)


class ScriptedProducer:
    """Implements `ProducerPort`; the test acknowledges records."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self._waiting: list[tuple[int, Publication]] = []

    def start(self, topics: Sequence[str] = ()) -> None:
        """Do nothing: all topics exist."""

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        """Record a publication; the test acknowledges it."""
        publication = Publication(len(records))
        self.published += records
        self._waiting.append((len(records), publication))
        return publication

    def acknowledge(self, publications: int = 1_000) -> None:
        """Acknowledge the first `count` publications."""
        acknowledged, self._waiting = self._waiting[:publications], self._waiting[publications:]
        for count, publication in acknowledged:
            publication.settle(count)

    def close(self, timeout: float = 10.0) -> None:
        """Do nothing: there is no connection."""


class ScriptedClient:
    """Implements `ClientPort`."""

    group = "order-sagas"
    longest_outage = 30.0

    def __init__(self) -> None:
        self.consumers: list[ScriptedConsumer] = []
        self.producers: list[ScriptedProducer] = []

    def check_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Do nothing: all topics exist."""

    def producer(self) -> ScriptedProducer:
        """Return the producer."""
        self.producers.append(ScriptedProducer())
        return self.producers[-1]

    def consumer(
        self, topics: Sequence[str], owner: ShardOwner, max_batch: int, max_outstanding: int
    ) -> ScriptedConsumer:
        """Return the consumer, with its owner."""
        self.consumers.append(ScriptedConsumer(owner))
        return self.consumers[-1]


class WorkerOnPorts:
    """A whole worker on virtual time, with a database in memory and fake ports.

    When a method returns, the actors have handled its effects.
    """

    def __init__(
        self,
        adapter: type[KafkaLogAdapter] = KafkaLogAdapter,
        processor: type[BatchProcessor] = BatchProcessor,
        roles: tuple[str, ...] = APP.roles,
    ) -> None:
        self.database = Database(lambda worker, changes: None, lambda *struck: None)
        self.points: list[str] = []
        """The points that were watched, such as "before commit"."""
        self.clock = VirtualClock(1_750_000_000.0)
        self.base = EventLoopBase(self.clock, threaded=False)
        client = ScriptedClient()
        parts = Parts(
            settings=Settings(
                database="sqlite:///:memory:",
                partitions=PARTITIONS,
                keep_idempotency_keys=None,
                roles=roles,
            ),
            adapter=adapter,
            processor=processor,
            watch=self._note,
            log=client,
            clock=self.clock,
            connect=self.database.connect,
        )
        self.running = start(parts, ActorSystem(self.base, transientUnique=True))
        self.base.run_until_idle()
        self._client, self.producer = client, client.producers[0]

    @property
    def consumer(self) -> ScriptedConsumer:
        """The newest consumer."""
        return self._client.consumers[-1]

    @property
    def owner(self) -> ShardOwner:
        """The owner that the consumer notifies of records and shards."""
        return self.consumer.owner

    @property
    def processor(self) -> Any:
        """The batch processor itself, not its address."""
        address: Any = self.running.processor
        return address.actor

    def _note(self, point: str) -> None:
        self.points.append(point)

    def tell(self, message: Any) -> None:
        """Send a message to the batch processor."""
        self.running.tell_processor(message)

    def read(self, *records: Record) -> Batch:
        """Let the consumer pass these records to the owner."""
        batch = Batch([*records], frozenset(record.partition for record in records))
        self.owner.on_batch(batch)
        return batch

    def report(self) -> Report:
        """Return the report of the batch processor."""
        report = self.running.report()
        assert report
        return report

    def outbox(self) -> int:
        """Return the number of records in the outbox."""
        ((count,),) = self.database.connection.execute("SELECT count(*) FROM outbox").fetchall()
        return int(count)
