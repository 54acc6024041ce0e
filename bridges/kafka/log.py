"""The Kafka client of a worker."""

from collections.abc import Sequence

import attrs

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.consumer import TopicReader
from order_sagas.bridges.kafka.consumer_listener import ShardOwner
from order_sagas.bridges.kafka.ports import ConsumerPort, ProducerPort
from order_sagas.bridges.kafka.producer import TopicWriter
from order_sagas.bridges.kafka.topics import check_topics


@attrs.frozen
class KafkaLog:
    """Implements `ClientPort` on a Kafka cluster. Times are in seconds."""

    connection: KafkaConnection
    group: str
    """The consumer group of workers with all roles."""
    member_of: str
    """The consumer group of workers with this worker's roles."""
    session_timeout: float = 10.0

    @property
    def longest_outage(self) -> float:
        """Seconds that a worker waits for the database before it leaves its group.

        Longer than it takes that a worker without a heartbeat loses its shards: most outages are
        those of all workers, and then no other worker can take the shards.
        """
        return 3 * self.session_timeout

    def check_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Raise TopicMissingError, or KafkaClientError for a wrong number of partitions."""
        check_topics(self.connection, topics, partitions=partitions)

    def producer(self) -> ProducerPort:
        """Return the worker's producer, not yet started."""
        return TopicWriter(self.connection)

    def consumer(
        self, topics: Sequence[str], owner: ShardOwner, max_batch: int, max_outstanding: int
    ) -> ConsumerPort:
        """Return the worker's consumer of these topics, not yet started."""
        return TopicReader(
            self.connection,
            topics,
            self.member_of,
            owner,
            max_batch=max_batch,
            max_outstanding=max_outstanding,
            session_timeout=self.session_timeout,
        )
