"""What happens to shards when workers come and go, on the reader's side."""

from collections.abc import Iterable, Mapping

import structlog
from kafka import KafkaConsumer
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.structs import TopicPartition

from bridges.kafka.outstanding import Deadline, Outstanding
from bridges.kafka.owner import ShardOwner

_log = structlog.get_logger(__name__)

_LOOK_AGAIN = 0.005
"""Seconds between looks at whether the owner has released what it was asked to."""


class Shares(AsyncConsumerRebalanceListener):
    """The partitions one consumer has, and the owner's part in getting and losing them.

    The client calls the listener's methods on its own thread, while the reader's is inside of
    `poll`; so the two never run at once, and heartbeats go on while a method awaits.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        owner: ShardOwner,
        outstanding: Outstanding,
        release_timeout: float,
    ) -> None:
        self._consumer = consumer
        self._owner = owner
        self._outstanding = outstanding
        self._release_timeout = release_timeout
        self._member = ""
        self.unready: set[TopicPartition] = set()
        """Assigned, but where to read from is not known yet; paused."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Hold them back until the owner says, on the reader's thread, where to read on."""
        self._hold_back(assigned)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the owner finish with them before the group gives them to another."""
        partitions = set(revoked)
        shards = _shards(partitions - self.unready)
        self.unready -= partitions
        if not shards:
            return
        self._outstanding.ask(shards)
        self._owner.on_revoked(shards)
        deadline = Deadline(self._release_timeout)
        while not self._outstanding.is_released(shards):
            if deadline.is_over:
                _log.warning("kafka.release_timed_out", shards=sorted(shards))
                self._lose(shards)
                return
            # Not `time.sleep`: this is the thread that sends the heartbeats.
            await self._consumer._net.sleep(_LOOK_AGAIN)
        _log.info("kafka.shards_released", shards=sorted(shards))

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """The group went on without us."""
        partitions = set(lost)
        shards = _shards(partitions - self.unready)
        self.unready -= partitions
        self._member = ""
        self._lose(shards)

    def lose_all(self) -> None:
        """The consumer is given up with all it has."""
        shards = _shards(set(self._consumer.assignment()) - self.unready)
        self.unready.clear()
        self._lose(shards)

    def was_away(self) -> bool:
        """Whether the group took us for gone and then for new, unnoticed by the client.

        It tells of lost partitions at the next poll; but when it only learns of it while it
        rejoins, it does not, and would go on with shards that were another's meanwhile.
        """
        member = self._consumer.group_metadata().member_id
        if not member or member == self._member:
            return False
        known, self._member = self._member, member
        if not known:
            return False
        kept = set(self._consumer.assignment()) - self.unready
        if kept:
            self._lose(_shards(kept))
            self._hold_back(kept)
        return True

    def settle(self) -> None:
        """Ask the owner where to read its new shards, and read them. May raise what it raises."""
        ready = self.unready & set(self._consumer.assignment())
        shards = _shards(ready)
        if not shards:
            self.unready.clear()
            return
        positions = self._owner.on_assigned(shards)
        moved = self._moved(ready, positions)
        if moved:
            self._owner.on_positions_moved(moved)
        self._read_from(ready, {**positions, **moved})
        self.unready.clear()
        _log.info("kafka.shards_assigned", shards=sorted(shards))

    def rewind(self, shards: frozenset[int]) -> None:
        """Begin again with these shards, if they are ours, as if they were new."""
        again = {tp for tp in self._consumer.assignment() if tp.partition in shards}
        self._hold_back(again - self.unready)

    def _moved(
        self, partitions: Iterable[TopicPartition], positions: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], int]:
        """Where to read on instead of at positions that are outside of their topic.

        Retention has removed the records there, or the topic was made anew: reading would find
        nothing there, for ever, or skip what came since.
        """
        latest = self._consumer.end_offsets([*partitions])
        self._owner.on_ends({(tp.topic, tp.partition): end for tp, end in latest.items()})
        known = [tp for tp in partitions if (tp.topic, tp.partition) in positions]
        if not known:
            return {}
        earliest = self._consumer.beginning_offsets(known)
        moved = {}
        for tp in known:
            at = positions[tp.topic, tp.partition]
            if not earliest[tp] <= at <= latest[tp]:
                _log.error(
                    "kafka.position_outside_topic",
                    topic=tp.topic,
                    partition=tp.partition,
                    position=at,
                    earliest=earliest[tp],
                    latest=latest[tp],
                    what="its records were removed, or the topic was made anew; "
                    "reading goes on from the earliest record",
                )
                moved[tp.topic, tp.partition] = earliest[tp]
        return moved

    def _read_from(
        self, partitions: set[TopicPartition], positions: Mapping[tuple[str, int], int]
    ) -> None:
        for tp in partitions:
            offset = positions.get((tp.topic, tp.partition))
            if offset is None:
                self._consumer.seek_to_beginning(tp)
            else:
                self._consumer.seek(tp, offset)
            self._consumer.resume(tp)

    def _hold_back(self, partitions: Iterable[TopicPartition]) -> None:
        for tp in partitions:
            # Any position will do: without one, the client would ask Kafka for the group's.
            self._consumer.seek(tp, 0)
            self._consumer.pause(tp)
            self.unready.add(tp)

    def _lose(self, shards: frozenset[int]) -> None:
        if shards:
            self._outstanding.forget(shards)
            self._owner.on_lost(shards)
            _log.warning("kafka.shards_lost", shards=sorted(shards))


def _shards(partitions: Iterable[TopicPartition]) -> frozenset[int]:
    return frozenset(tp.partition for tp in partitions)
