"""Handles rebalances on the side of the consumer: assigned, revoked and lost partitions."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future

import structlog
from kafka import KafkaConsumer
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.backpressure import Deadline, Outstanding
from order_sagas.bridges.kafka.consumer_listener import ShardOwner

_log = structlog.get_logger(__name__)

_LOOK_AGAIN = 0.005
"""Seconds between checks whether the owner has released the revoked shards."""
CLAIM_SECONDS = 15.0
"""Seconds to wait for the owner's offsets of new shards before it is asked again."""

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
    ) -> None:
        self._monotonic = monotonic
        self._consumer = consumer
        self._owner = owner
        self._outstanding = outstanding
        self._release_timeout = release_timeout
        self._member = ""
        self.unready: set[TopicPartition] = set()
        """Assigned and paused partitions whose offset is not known yet."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Pause the partitions until the owner has given their offsets."""
        self._hold_back(assigned)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Wait until the owner has released the shards, at most `release_timeout` seconds.

        After that they are treated as lost.
        """
        partitions = set(revoked)
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
        shards = _shards(partitions - self.unready)
        self.unready -= partitions
        self._member = ""
        self._lose(shards)

    def lose_all(self) -> None:
        """Drop all partitions, because the consumer is abandoned."""
        shards = _shards(set(self._consumer.assignment()) - self.unready)
        self.unready.clear()
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
        shards = _shards(self._ready())
        if not shards:
            self.unready.clear()
            return None
        return self._owner.on_assigned(shards)

    def read_on(self, positions: Positions) -> None:
        """Start reading the new shards at the owner's offsets."""
        ready = self._ready()
        shards = _shards(ready)
        moved = self._moved(ready, positions)
        if moved:
            self._owner.on_positions_moved(moved)
        self._read_from(ready, {**positions, **moved})
        self.unready.clear()
        _log.info("kafka.shards_assigned", shards=sorted(shards))

    def rewind(self, shards: frozenset[int]) -> None:
        """Treat these shards, if they are owned, as newly assigned."""
        again = {tp for tp in self._consumer.assignment() if tp.partition in shards}
        self._hold_back(again - self.unready)

    def _ready(self) -> set[TopicPartition]:
        return self.unready & set(self._consumer.assignment())

    def _moved(
        self, partitions: Iterable[TopicPartition], positions: Positions
    ) -> dict[tuple[str, int], int]:
        """The offsets to use for partitions whose offset is outside the topic.

        Retention has deleted the records there, or the topic was created again. Without a new
        offset, nothing would ever be read, or newer records would be skipped.
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
                    what="its records were deleted, or the topic was created again; "
                    "reading continues at the earliest record",
                )
                moved[tp.topic, tp.partition] = earliest[tp]
        return moved

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
