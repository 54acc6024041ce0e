"""Assignment of shards to the members of a consumer group.

The assignors of kafka-python do not suffice. `range` keeps partition s of every topic with one
member, but revokes every partition from every member in each rebalance, so that all sagas would be
restored from the database whenever one worker comes or goes. `cooperative-sticky` moves few
partitions, but assigns each on its own, so that the topics of a shard would be separated. This one
assigns shards, and leaves a member the shards that it has.
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
"""Version of the group's messages, the first with the partitions that a member owns (KIP-429)."""


def assign_shards(
    members: Sequence[str], shards: Iterable[int], owned: Mapping[str, Iterable[int]]
) -> dict[str, set[int]]:
    """The shards that each member gets at the end of the rebalance, as evenly as possible.

    A member keeps what it owns up to its fair share, so that few shards move. A shard that is
    claimed by several members (one was disconnected and does not know yet that it lost the shard)
    counts as free.
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

    A shard that moves is assigned to no member in the first round. Its owner releases it and
    requests the second round, in which it is free. So two members never have it at the same time,
    except for one that was disconnected and has not detected it; the database rejects its
    commits.
    """

    name = "order-sagas-shards"
    version = _VERSION

    def __init__(self, owned: Callable[[], Iterable[TopicPartition]]) -> None:
        """`owned` returns the partitions that this member has now."""
        self._owned = owned

    def supported_protocols(self) -> list[RebalanceProtocol]:
        """Only the cooperative protocol."""
        return [RebalanceProtocol.COOPERATIVE]

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolSubscription:
        """This member's subscription: the topics, and the partitions that it owns."""
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
        """The assignment of the next round. A member only gets partitions of its own topics."""
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
        """Do nothing: `owned` is called each time."""

    def _assignment(
        self, topics: Iterable[str], partitions: Mapping[str, set[int]], shards: set[int]
    ) -> ConsumerProtocolAssignment:
        assigned = [(topic, sorted(partitions[topic] & shards)) for topic in sorted(topics)]
        return ConsumerProtocolAssignment(_VERSION, [pair for pair in assigned if pair[1]], b"")


def _owned_by_others(owned: Mapping[str, set[int]], member: str) -> set[int]:
    return set().union(*(shards for other, shards in owned.items() if other != member))
