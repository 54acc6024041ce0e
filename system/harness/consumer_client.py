"""The part of a `KafkaConsumer` that `Shares` and the assignor use, on a simulated Kafka."""

from collections.abc import Generator, Iterable, Sequence
from types import SimpleNamespace, coroutine

from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.errors import BrokerUnreachableError
from order_sagas.system.harness.memory_topics import Topics
from order_sagas.system.harness.simulated_kafka import SimulatedKafka


class Client:
    """Implements that part: assignment, positions, pauses, offsets."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka
        self._topics: Topics = kafka.topics
        self._assigned: dict[TopicPartition, None] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.member_id = ""
        self._net = self

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Set the assigned partitions."""
        self._assigned = dict.fromkeys(sorted(partitions))
        self.positions = {tp: at for tp, at in self.positions.items() if tp in self._assigned}
        self.paused &= self._assigned.keys()

    def assignment(self) -> set[TopicPartition]:
        """Return the assigned partitions."""
        return {*self._assigned}

    def group_metadata(self) -> SimpleNamespace:
        """Return an object with the `member_id`."""
        return SimpleNamespace(member_id=self.member_id)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Set the position of a partition."""
        self.positions[tp] = offset

    def seek_to_beginning(self, tp: TopicPartition) -> None:
        """Set the position of a partition to its first record."""
        self.positions[tp] = 0

    def pause(self, tp: TopicPartition) -> None:
        """Stop fetching a partition."""
        self.paused.add(tp)

    def resume(self, tp: TopicPartition) -> None:
        """Fetch a partition again."""
        self.paused.discard(tp)

    def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offsets: 0, since nothing is deleted here."""
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the next offsets. Raises BrokerUnreachableError during an outage."""
        if not self._kafka.is_up:
            raise BrokerUnreachableError("Kafka is away, on purpose.")
        return {tp: self._topics.end((tp.topic, tp.partition)) for tp in partitions}

    @coroutine
    def sleep(self, seconds: float) -> Generator[None, None, None]:
        """Wait for the next poke, for example after the owner has released a shard."""
        yield

    def readable(self) -> list[TopicPartition]:
        """Return the partitions that are not paused and have new records."""
        ends, paused = self._topics.end, self.paused
        return [
            tp
            for tp in self._assigned
            if tp not in paused and tp in self.positions and self.positions[tp] < ends(tp)
        ]
