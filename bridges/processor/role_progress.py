"""Up to where each role of a worker has handled each partition of Kafka's topics.

A partition is read once for all roles of the worker, from where the one that is furthest behind
has come to. A record is for the roles that have not come to it yet.
"""

from collections.abc import Iterable, Mapping

Place = tuple[str, int]
"""A topic and a partition."""


class RoleProgress:
    """The offsets of the roles, as they are stored, and what they mean for what is read."""

    def __init__(self) -> None:
        self._stored: dict[Place, dict[str, int]] = {}
        self.ahead: dict[Place, dict[str, int]] = {}
        """Roles that have come further than another one of the worker, and how far."""

    def claimed(self, offsets: Mapping[Place, Mapping[str, int]]) -> dict[Place, int]:
        """Take over these offsets; answers from where to read each partition on."""
        begins = {}
        for place, of_roles in offsets.items():
            self._stored[place] = dict(of_roles)
            begin = begins[place] = min(of_roles.values())
            ahead = {role: at for role, at in of_roles.items() if at > begin}
            if ahead:
                self.ahead[place] = ahead
            else:
                self.ahead.pop(place, None)
        return begins

    def clear(self) -> None:
        """Nothing is claimed any more."""
        self._stored.clear()
        self.ahead.clear()

    def moves(
        self, read: Mapping[Place, tuple[int, int]], names: Mapping[str, str]
    ) -> list[tuple[str, int, str, int, int]]:
        """What to compare and set for partitions that were read from here to there.

        `names` are the consumers of the roles; the answer is (topic, partition, consumer, before,
        after).
        """
        return [
            (*place, names[role], before, after)
            for place, (_, end) in read.items()
            for role, before in self._stored[place].items()
            if (after := self._after(place, role, end)) != before
        ]

    def committed(self, read: Mapping[Place, tuple[int, int]]) -> None:
        """That is stored."""
        for place, (_, end) in read.items():
            stored = self._stored[place]
            for role in stored:
                stored[role] = self._after(place, role, end)
            if place in self.ahead:
                ahead = self.ahead[place] = {
                    role: at for role, at in self.ahead[place].items() if at > end
                }
                if not ahead:
                    del self.ahead[place]

    def have_handled(self, place: Place, offset: int) -> Iterable[str]:
        """The roles that have handled a record before."""
        return [role for role, at in self.ahead.get(place, {}).items() if at > offset]

    def _after(self, place: Place, role: str, end: int) -> int:
        return max(end, self.ahead.get(place, {}).get(role, end))
