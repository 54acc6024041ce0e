"""Offsets of the roles of a worker on the partitions of Kafka's topics.

A partition is read once for all roles of the worker, from the lowest of their offsets. A record is
delivered to the roles whose offset is not beyond it.
"""

from collections.abc import Iterable, Mapping

Place = tuple[str, int]
"""A topic and a partition."""


class RoleProgress:
    """The stored offsets of the roles, and which roles have handled a record."""

    def __init__(self) -> None:
        self._stored: dict[Place, dict[str, int]] = {}
        self.ahead: dict[Place, dict[str, int]] = {}
        """Roles whose offset is beyond the lowest one of a partition, with that offset."""

    def claimed(self, offsets: Mapping[Place, Mapping[str, int]]) -> dict[Place, int]:
        """Set the offsets of claimed partitions; return where to read each of them from."""
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
        """Forget all offsets: no partition is claimed."""
        self._stored.clear()
        self.ahead.clear()

    def moves(
        self, read: Mapping[Place, tuple[int, int]], names: Mapping[str, str]
    ) -> list[tuple[str, int, str, int, int]]:
        """Return the compare-and-set operations for partitions that were read.

        `read` maps a partition to the offsets before and after, `names` a role to its consumer.
        Each operation is (topic, partition, consumer, before, after).
        """
        return [
            (*place, names[role], before, after)
            for place, (_, end) in read.items()
            for role, before in self._stored[place].items()
            if (after := self._after(place, role, end)) != before
        ]

    def committed(self, read: Mapping[Place, tuple[int, int]]) -> None:
        """Move the offsets by a committed batch; `read` is as in `moves`."""
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
        """Return the roles that have handled a record before."""
        return [role for role, at in self.ahead.get(place, {}).items() if at > offset]

    def _after(self, place: Place, role: str, end: int) -> int:
        return max(end, self.ahead.get(place, {}).get(role, end))
