"""The ports to Kafka: a consumer, a producer, and a client that creates both.

`KafkaLog` implements them on a Kafka cluster, the harness in memory and on virtual time.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from order_sagas.bridges.kafka.consumer_listener import Batch, ShardOwner
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.records.record import Outgoing


class ConsumerPort(Protocol):
    """One member of a consumer group, which passes to a `ShardOwner` what it reads and owns.

    Delivery: every record of an owned shard is handed over at least once, from the offset that
    `ShardOwner.on_assigned` gave. Ordering: by offset within a (topic, partition); none across
    partitions. Offsets are the owner's to store. At most `max_outstanding` batches of at most
    `max_batch` records are handed over and not yet `done`.

    Threading: the owner's methods are called on a thread of the consumer, one call at a time. All
    methods here may be called from any thread, and only `stop` blocks.
    """

    def start(self) -> None:
        """Join the group and read. Never fails: while Kafka cannot be reached, it is retried."""
        ...

    def stop(self, timeout: float = 30.0, *, finished: bool = False) -> None:
        """Release the shards, leave the group, and end; blocks for up to `timeout` seconds.

        With `finished`, the owner has committed all it will, and its batches are not waited for.
        """
        ...

    def done(self, batch: Batch) -> None:
        """The owner has finished with this batch, whether it was committed or not."""
        ...

    def released(self, shards: frozenset[int]) -> None:
        """The owner has finished with these shards, which were revoked.

        The group assigns them to another member only now, or after the consumer's time limit for a
        release; in that case `ShardOwner.on_lost` is called.
        """
        ...

    def rewind(self, shards: frozenset[int]) -> None:
        """Ask `on_assigned` again for these shards, and read from there.

        For a batch that was rolled back. Records of these shards that were read before may still
        be handed over until `on_assigned` is called; those after it are from the new offset.
        """
        ...

    def report(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Report committed offsets, by (topic, partition), to Kafka for tools that show a lag.

        Nothing depends on it: a report may be lost.
        """
        ...


class ProducerPort(Protocol):
    """An idempotent producer whose records are acknowledged by all in-sync replicas.

    Ordering: records of one partition are written in the order in which they were published, except
    that one which was not acknowledged and is published again comes after those that followed it.
    A retry inside the producer never writes a record twice; publishing it again may, because a
    record that was not acknowledged may have been written. Thread-safe.
    """

    def start(self, topics: Sequence[str] = ()) -> None:
        """Connect, and fetch the metadata of these topics, so that `publish` does not block.

        Raises BrokerUnreachableError and TopicMissingError.
        """
        ...

    def publish(self, records: Sequence[Outgoing]) -> Publication:
        """Send the records, and return at once; the publication reports the result of each.

        A record fails with RecordTooLargeError if Kafka will never accept it, and with another
        KafkaClientError if it may be published again. Other records are not affected.
        """
        ...

    def close(self, timeout: float = 10.0) -> None:
        """Wait up to `timeout` seconds for acknowledgements, and disconnect. Idempotent."""
        ...


class ClientPort(Protocol):
    """Creates the consumer and the producer of one worker."""

    @property
    def group(self) -> str:
        """The consumer group of the workers with all roles, under which roles keep offsets."""
        ...

    @property
    def longest_outage(self) -> float:
        """Seconds that a worker waits for the database before it leaves its group."""
        ...

    def check_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Raise TopicMissingError, or KafkaClientError for a wrong number of partitions."""
        ...

    def producer(self) -> ProducerPort:
        """The worker's producer, not yet started."""
        ...

    def consumer(
        self, topics: Sequence[str], owner: ShardOwner, max_batch: int, max_outstanding: int
    ) -> ConsumerPort:
        """The worker's consumer of these topics, not yet started."""
        ...
