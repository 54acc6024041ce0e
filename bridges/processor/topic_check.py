"""Compares stored offsets with what their topics hold now, before a shard is read.

A topic that was created again has another id; one that lost records ends before a stored offset. In
both cases no offset is right to continue from: the shard is not read, and its sagas wait, until an
operator decides. Records that retention deleted before they were read can only be skipped.
"""

from collections.abc import Callable, Iterable, Mapping

import attrs
import structlog

from order_sagas.bridges.kafka.consumer_listener import Extent
from order_sagas.bridges.storage.topic_ids import TopicIds

log = structlog.get_logger("processor")

Place = tuple[str, int]
"""A topic and a partition."""


@attrs.frozen
class Verdict:
    """What a claim has found. `stopped` are shards that must not be read, each with the reason.

    `moved` are partitions whose next record was deleted, with the offset of the earliest one. If it
    is `doubtful`, the extents may be older than the offsets: they are to be fetched again.
    """

    stopped: dict[int, str]
    moved: dict[Place, int]
    doubtful: bool


class TopicCheck:
    """The extents of partitions as the consumer reports them, and the stored ids of topics."""

    def __init__(self, ids: TopicIds, now: Callable[[], float]) -> None:
        self._ids = ids
        self._now = now
        self._extents: dict[Place, Extent] = {}
        self._doubted: set[Place] = set()
        """Partitions that ended before a stored offset at the last check."""
        self.stopped: dict[int, str] = {}
        """The assigned shards that are not read, each with the reason."""

    def note(self, extents: Mapping[Place, Extent]) -> None:
        """Note what these partitions hold, as just read."""
        self._extents.update(extents)

    def forget(self, shards: Iterable[int]) -> None:
        """Forget shards that are no longer assigned."""
        for shard in shards:
            self.stopped.pop(shard, None)

    def judge(self, offsets: Mapping[Place, Mapping[str, int]]) -> Verdict:
        """Compare the offsets of each role with the extents that were noted last.

        A worker that owned the shard before may have stored an offset after the extents were
        fetched. So a partition that ends before an offset is checked twice: after the first check,
        only this worker can store offsets.
        """
        now_ids = {
            topic: extent.topic_id
            for (topic, _), extent in self._extents.items()
            if extent.topic_id
        }
        stored_ids = self._ids.known(now_ids, self._now())
        reasons: dict[int, list[str]] = {}
        moved: dict[Place, int] = {}
        doubted: set[Place] = set()
        for place, of_roles in offsets.items():
            extent = self._extents.get(place)
            if extent is None:
                continue
            topic, partition = place
            furthest, next_ = max(of_roles.values()), min(of_roles.values())
            stored_id = stored_ids.get(topic, "")
            facts = {
                "topic": topic, "partition": partition, "position": furthest,
                "begin": extent.begin, "end": extent.end,
            }  # fmt: skip
            if extent.topic_id and stored_id != extent.topic_id:
                reasons.setdefault(partition, []).append(
                    f"{topic} was created again: its id was {stored_id}, and is {extent.topic_id}"
                )
                log.error(
                    "kafka.topic_replaced", **facts, former_id=stored_id, topic_id=extent.topic_id
                )
            elif furthest > extent.end:
                doubted.add(place)
                if place not in self._doubted:
                    continue
                reasons.setdefault(partition, []).append(
                    f"{topic}, partition {partition}, was handled up to offset {furthest:,}, and "
                    f"ends at {extent.end:,}"
                )
                log.error("kafka.topic_shorter", **facts)
            elif next_ < extent.begin:
                moved[place] = extent.begin
                if next_:
                    log.error("kafka.records_deleted_unread", **facts, next=next_)
        doubtful = bool(doubted - self._doubted)
        self._doubted = doubted
        stopped = {shard: "; ".join(texts) for shard, texts in reasons.items()}
        self.forget({partition for _, partition in offsets})
        if not doubtful:
            self.stopped.update(stopped)
        return Verdict(stopped, moved, doubtful)
