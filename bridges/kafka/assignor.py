"""Who of a consumer group owns which shard.

The client's own assignors do not do: `range` keeps partition s of every topic with one worker, but
takes every partition from everybody at each rebalance, so that all sagas would be restored from
the database when one worker comes or goes; `cooperative-sticky` moves few partitions, but assigns
each on its own, so that the topics of a shard part. This one is both: it assigns shards, and
lets a worker keep what it has.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor, RebalanceProtocol
from kafka.protocol.consumer.metadata import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from kafka.structs import TopicPartition

_VERSION = 1
"""Of the group's messages: the first that tells what a member owns (KIP-429)."""


def assign_shards(
    members: Sequence[str], shards: Iterable[int], owned: Mapping[str, Iterable[int]]
) -> dict[str, set[int]]:
    """Which shards each member shall have in the end, as evenly as possible.

    A member keeps what it owns up to its fair share, so that few shards move. A shard that
    several claim (one of them was away and does not know yet) counts as nobody's.
    """
    todo = sorted(shards)
    claims = Counter(shard for member in members for shard in set(owned.get(member, ())))
    kept = {
        member: sorted(s for s in set(owned.get(member, ())) if claims[s] == 1 and s in todo)
        for member in members
    }
    share, extra = divmod(len(todo), len(members))
    ranked = sorted(members, key=lambda member: (-len(kept[member]), member))
    room = {member: share + (place < extra) for place, member in enumerate(ranked)}
    assigned = {member: set(kept[member][: room[member]]) for member in members}
    free = [s for s in todo if not any(s in has for has in assigned.values())]
    for member in ranked:
        while free and len(assigned[member]) < room[member]:
            assigned[member].add(free.pop(0))
    return assigned


class ShardAssignor(AbstractPartitionAssignor):
    """Gives partition s of every topic to the owner of shard s, cooperatively (KIP-429).

    A shard that moves is assigned to nobody in the first round; its owner gives it up and asks
    for the second, in which it is free. So never do two members have it at once, but for one that
    was away and has not noticed; the database refuses that one's commits.
    """

    name = "order-sagas-shards"
    version = _VERSION

    def __init__(self, owned: Callable[[], Iterable[TopicPartition]]) -> None:
        """`owned` answers with what this member has now."""
        self._owned = owned

    def supported_protocols(self) -> list[RebalanceProtocol]:
        return [RebalanceProtocol.COOPERATIVE]

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolSubscription:
        by_topic: dict[str, list[int]] = defaultdict(list)
        for topic, partition in self._owned():
            by_topic[topic].append(partition)
        owned = [
            ConsumerProtocolSubscription.TopicPartition(topic=topic, partitions=sorted(partitions))
            for topic, partitions in sorted(by_topic.items())
        ]
        return ConsumerProtocolSubscription(
            version=_VERSION, topics=sorted(topics), user_data=b"", owned_partitions=owned
        )

    def assign(self, cluster: Any, members: Sequence[Any]) -> dict[str, ConsumerProtocolAssignment]:
        """The next round's assignment. A member gets partitions of its own topics only."""
        topics = {topic for member in members for topic in member.metadata.topics}
        partitions: dict[str, set[int]] = {
            topic: set(cluster.partitions_for_topic(topic) or ()) for topic in topics
        }
        owned = {
            member.member_id: {
                partition
                for topic in member.metadata.owned_partitions or ()
                for partition in topic.partitions
            }
            for member in members
        }
        shards = set().union(*partitions.values())
        wanted = assign_shards(sorted(owned), shards, owned)
        return {
            member.member_id: self._assignment(
                member.metadata.topics,
                partitions,
                wanted[member.member_id] - _owned_by_others(owned, member.member_id),
            )
            for member in members
        }

    def on_assignment(self, assignment: ConsumerProtocolAssignment, generation: int) -> None:
        """Nothing to remember: what is owned is asked for when it is told."""

    def _assignment(
        self, topics: Iterable[str], partitions: Mapping[str, set[int]], shards: set[int]
    ) -> ConsumerProtocolAssignment:
        assigned = [(topic, sorted(partitions[topic] & shards)) for topic in sorted(topics)]
        return ConsumerProtocolAssignment(_VERSION, [pair for pair in assigned if pair[1]], b"")


def _owned_by_others(owned: Mapping[str, set[int]], member: str) -> set[int]:
    return set().union(*(shards for other, shards in owned.items() if other != member))
