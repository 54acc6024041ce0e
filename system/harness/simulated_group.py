"""A consumer group in memory: its members, and the assignment of each generation.

It follows KIP-429 (cooperative rebalancing): members keep their partitions during a rebalance, and
a partition that moves is unassigned until its owner has released it and joined again.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import attrs
from kafka.structs import TopicPartition

from order_sagas.system.harness.scheduler import Agenda

REBALANCE_TIMEOUT = 60.0
"""Seconds that the group waits for a member to join again before it removes it."""
HEARTBEAT = 2.5
"""Seconds between heartbeats; a member learns of a rebalance at its next one."""


@attrs.define(eq=False)
class Member:
    """A member of the group."""

    member_id: str
    metadata: Any
    joined: bool = True
    learns_at: float = 0.0
    """Time of the heartbeat at which it learns of the current rebalance, in monotonic seconds."""
    assignment: set[TopicPartition] | None = None
    """Its assignment in this generation, until it has taken it."""


class Group:
    """The group coordinator of one consumer group.

    `late` draws a delay up to a maximum; `wake` pokes every consumer.
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
        """True while the group waits for its members to join the next generation."""

    def join(self, member_id: str, metadata: Any, assign: Callable[..., Any]) -> str:
        """Add a member, or let it join again, and return its id. Starts a rebalance.

        `assign` is the assignment function, which is run when all members have joined.
        """
        if member_id not in self.members:
            self._names += 1
            member_id = f"member-{self._names}"
            self.members[member_id] = Member(member_id, metadata)
        member = self.members[member_id]
        self._begin()
        member.metadata, member.joined, member.assignment = metadata, True, None
        self._assign = assign  # any member may be the leader: all have the same assignor
        self._complete()
        return member_id

    def remove(self, member_id: str) -> None:
        """Remove a member that has left or whose session has timed out."""
        if self.members.pop(member_id, None) is not None and self.members:
            self._begin()
            self._complete()

    def must_join(self, member_id: str) -> bool:
        """Return True if a member has learned that it has to join."""
        member = self.members.get(member_id)
        if member is None:
            return True
        return self.joining and not member.joined and self._now() >= member.learns_at

    def take_assignment(self, member_id: str) -> set[TopicPartition] | None:
        """Return a member's assignment, once per generation; None after that."""
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
