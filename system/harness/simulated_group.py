"""A consumer group in memory: its members, and who owns which partition in each generation.

It follows KIP-429 (cooperative rebalancing): members keep what they own while the group is
rebalanced, and a partition that moves is assigned to nobody until its owner has released it and
joined again.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import attrs
from kafka.structs import TopicPartition

from order_sagas.system.harness.scheduler import Agenda

REBALANCE_TIMEOUT = 60.0
"""Seconds that the group waits for a member to join again before it goes on without it."""
HEARTBEAT = 2.5
"""Seconds between a member's heartbeats: as late may it learn of a rebalance."""


@attrs.define(eq=False)
class Member:
    """A consumer as the group knows it."""

    member_id: str
    metadata: Any
    joined: bool = True
    learns_at: float = 0.0
    """When its next heartbeat tells it that the group is being rebalanced."""
    assignment: set[TopicPartition] | None = None
    """What it is assigned in this generation, until it takes notice of it."""


class Group:
    """The coordinator's side of one consumer group.

    `assign` is the assignor's, which the leader runs. `wake` lets every member look again.
    """

    def __init__(
        self,
        agenda: Agenda,
        now: Callable[[], float],
        partitions: int,
        late: Callable[[float], float],
        wake: Callable[[], None],
    ) -> None:
        self._agenda = agenda
        self._now = now
        self._cluster = SimpleNamespace(partitions_for_topic=lambda _: set(range(partitions)))
        self._late = late
        self._wake = wake
        self._names = 0
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.joining = False
        """Whether the group waits for its members to join the next generation."""

    def join(self, member_id: str, metadata: Any, assign: Callable[..., Any]) -> str:
        """A member joins, anew or again; answers its id. Rebalances the group."""
        if member_id not in self.members:
            self._names += 1
            member_id = f"member-{self._names}"
            self.members[member_id] = Member(member_id, metadata)
        member = self.members[member_id]
        self._begin()
        member.metadata, member.joined, member.assignment = metadata, True, None
        self._assign = assign  # any member may lead: all have the same assignor
        self._complete()
        return member_id

    def remove(self, member_id: str) -> None:
        """A member has left, or its session has timed out."""
        if self.members.pop(member_id, None) is not None and self.members:
            self._begin()
            self._complete()

    def must_join(self, member_id: str) -> bool:
        """Whether a member has learned that it has to join."""
        member = self.members.get(member_id)
        if member is None:
            return True
        return self.joining and not member.joined and self._now() >= member.learns_at

    def take_assignment(self, member_id: str) -> set[TopicPartition] | None:
        """What a member is assigned, once in each generation that it has joined."""
        member = self.members.get(member_id)
        if member is None:
            return None
        assigned, member.assignment = member.assignment, None
        return assigned

    def _begin(self) -> None:
        if self.joining:
            return
        self.joining = True
        generation = self.generation
        self._agenda.add(self._now() + REBALANCE_TIMEOUT, lambda: self._expire(generation))
        for member in self.members.values():
            member.joined = False
            member.learns_at = self._now() + self._late(HEARTBEAT)
            if member.learns_at > self._now():
                self._agenda.add(member.learns_at, self._wake)
        self._wake()

    def _expire(self, generation: int) -> None:
        if self.joining and self.generation == generation:
            self.members = {i: each for i, each in self.members.items() if each.joined}
            self._complete()

    def _complete(self) -> None:
        members: Iterable[Member] = self.members.values()
        if not self.members or not all(member.joined for member in members):
            return
        self.joining = False
        self.generation += 1
        answer = self._assign(self._cluster, [*members])
        for member in members:
            member.assignment = set(answer[member.member_id].partitions())
        self._wake()
