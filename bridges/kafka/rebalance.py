"""Handles rebalances on the side of the consumer: assigned, revoked and lost partitions."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future

import structlog
from kafka import KafkaConsumer
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.backpressure import Deadline, Outstanding
from order_sagas.bridges.kafka.consumer_listener import HELD, Extent, ShardOwner

_log = structlog.get_logger(__name__)

_LOOK_AGAIN = 0.005
"""Seconds between checks whether the owner has released the revoked shards."""
CLAIM_SECONDS = 15.0
"""Seconds to wait for the owner's offsets of new shards before it is asked again."""

_HELD_AGAIN = 10.0
"""Seconds before the owner is asked again about partitions that it does not want to be read."""

Positions = Mapping[tuple[str, int], int]
"""The offset to read next, for each (topic, partition)."""


class Shares(AsyncConsumerRebalanceListener):
    """The partitions of one consumer. Coordinates with the owner when they come and go.

    kafka-python calls the listener's methods on its own thread, while the consumer's thread is
    inside `poll`. So the two never run at the same time, and heartbeats go on while a method
    awaits.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        owner: ShardOwner,
        outstanding: Outstanding,
        release_timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
        topic_id: Callable[[str], str] = lambda topic: "",
    ) -> None:
        """`topic_id` returns the id of a topic in the client's metadata, or an empty text."""
        self._monotonic = monotonic
        self._consumer = consumer
        self._owner = owner
        self._outstanding = outstanding
        self._release_timeout = release_timeout
        self._topic_id = topic_id
        self._ids: dict[str, str] = {}
        """The ids of the topics when the owner was asked last."""
        self._held_until = 0.0
        self._member = ""
        self.held: set[TopicPartition] = set()
        """Assigned partitions that the owner does not want to be read."""
        self.unready: set[TopicPartition] = set()
        """Assigned and paused partitions whose offset is not known yet."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Pause the partitions until the owner has given their offsets.

        So are those of other topics that the same shards had before: a topic that is created again
        comes alone, while the owner claims, and reads on, a shard as a whole.
        """
        partitions = set(assigned)
        shards = _shards(partitions)
        self._hold_back(
            partitions | {tp for tp in self._consumer.assignment() if tp.partition in shards}
        )

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Wait until the owner has released the shards, at most `release_timeout` seconds.

        After that they are treated as lost.
        """
        partitions = set(revoked)
        self.held -= partitions
        shards = _shards(partitions - self.unready)
        self.unready -= partitions
        if not shards:
            return
        self._outstanding.ask(shards)
        self._owner.on_revoked(shards)
        deadline = Deadline(self._release_timeout, self._monotonic)
        while not self._outstanding.is_released(shards):
            if deadline.is_over:
                _log.warning("kafka.release_timed_out", shards=sorted(shards))
                self._lose(shards)
                return
            # Not `time.sleep`, because this thread sends the heartbeats.
            await self._consumer._net.sleep(_LOOK_AGAIN)
        _log.info("kafka.shards_released", shards=sorted(shards))

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Drop partitions that the group has assigned to others."""
        partitions = set(lost)
        self.held -= partitions
        shards = _shards(partitions - self.unready)
        self.unready -= partitions
        self._member = ""
        self._lose(shards)

    def lose_all(self) -> None:
        """Drop all partitions, because the consumer is abandoned."""
        shards = _shards(set(self._consumer.assignment()) - self.unready)
        self.unready.clear()
        self.held.clear()
        self._lose(shards)

    def was_away(self) -> bool:
        """True if the group removed this member and added it again, unnoticed by the client.

        kafka-python reports lost partitions at the next poll. But if it learns of the loss only
        while it rejoins, it does not, and would go on with shards that another member had in
        between. Drops and pauses the partitions in that case.
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
        """Ask the owner for the offsets of its new shards, wait, and start reading there.

        Raises what the owner raises, and TimeoutError after CLAIM_SECONDS without an answer.
        """
        asked = self.ask()
        if asked is not None:
            self.read_on(_answer_of(asked))

    def ask(self) -> "Future[Positions] | None":
        """Ask the owner for the offsets of its new shards; None if there are none.

        No method of the listener may run until `read_on` is called.
        """
        ready = self._ready()
        if not ready:
            self.unready.clear()
            return None
        self._owner.on_extents(self._extents(ready))
        return self._owner.on_assigned(_shards(ready))

    def read_on(self, positions: Positions) -> None:
        """Start reading the new shards at the owner's offsets."""
        ready = self._ready()
        held = {tp for tp in ready if positions.get((tp.topic, tp.partition)) == HELD}
        if held:
            self._held_until = self._monotonic() + _HELD_AGAIN
        self.held = (self.held - ready) | held
        self._read_from(ready - held, positions)
        self.unready.clear()
        _log.info("kafka.shards_assigned", shards=sorted(_shards(ready - held)))

    def ask_again(self) -> None:
        """Treat held partitions as newly assigned, if the owner was asked some seconds ago."""
        if self.held and self._monotonic() >= self._held_until:
            held, self.held = self.held, set()
            self._hold_back(held)

    def topics_replaced(self) -> bool:
        """True if a topic has another id than before. All partitions are then newly assigned.

        What was read of them since the last call may be of either topic, and must be dropped.
        """
        if all(self._topic_id(topic) in ("", id_) for topic, id_ in self._ids.items()):
            return False
        _log.error("kafka.topics_replaced", topics=sorted(self._ids))
        self._ids.clear()
        self.held.clear()
        self._hold_back(set(self._consumer.assignment()))
        return True

    def rewind(self, shards: frozenset[int]) -> None:
        """Treat these shards, if they are owned, as newly assigned."""
        again = {tp for tp in self._consumer.assignment() if tp.partition in shards}
        self._hold_back(again - self.unready)

    def _ready(self) -> set[TopicPartition]:
        return self.unready & set(self._consumer.assignment())

    def _extents(self, partitions: Iterable[TopicPartition]) -> dict[tuple[str, int], Extent]:
        """What these partitions hold now."""
        asked = [*partitions]
        latest = self._consumer.end_offsets(asked)
        earliest = self._consumer.beginning_offsets(asked)
        self._ids.update({topic: self._topic_id(topic) for topic in {tp.topic for tp in asked}})
        return {
            (tp.topic, tp.partition): Extent(earliest[tp], latest[tp], self._ids[tp.topic])
            for tp in asked
        }

    def _read_from(self, partitions: set[TopicPartition], positions: Positions) -> None:
        for tp in partitions:
            offset = positions.get((tp.topic, tp.partition))
            if offset is None:
                self._consumer.seek_to_beginning(tp)
            else:
                self._consumer.seek(tp, offset)
            self._consumer.resume(tp)

    def _hold_back(self, partitions: Iterable[TopicPartition]) -> None:
        for tp in partitions:
            # Any offset will do. Without one, the client would fetch the group's from Kafka.
            self._consumer.seek(tp, 0)
            self._consumer.pause(tp)
            self.unready.add(tp)

    def _lose(self, shards: frozenset[int]) -> None:
        if shards:
            self._outstanding.forget(shards)
            self._owner.on_lost(shards)
            _log.warning("kafka.shards_lost", shards=sorted(shards))


def _answer_of(asked: "Future[Positions]") -> Positions:
    """Wait for the owner's answer, and cancel the request if it does not come in time."""
    try:
        return asked.result(CLAIM_SECONDS)
    except TimeoutError:
        if asked.cancel():
            raise TimeoutError("the database or the loop is busy or away") from None
        return asked.result(CLAIM_SECONDS)  # the owner has just begun
    except CancelledError:
        raise RuntimeError("the worker is stopping") from None


def _shards(partitions: Iterable[TopicPartition]) -> frozenset[int]:
    return frozenset(tp.partition for tp in partitions)
