"""Up to where the partitions of a log are handled, as the database has it."""

from collections.abc import Mapping

Place = tuple[str, int]
"""A topic (of the embedded log: a queue) and a partition."""


class Positions:
    """Set by claims, and moved by commits: a batch compares and sets the stored offsets with them.

    A batch notes in `Batch.offsets`, for each place that it read, the position before and after.
    """

    def __init__(self) -> None:
        self._of: dict[str, dict[int, int]] = {}

    def of(self, topic: str) -> Mapping[int, int]:
        """The positions of the claimed partitions of a topic; empty if none is claimed."""
        return self._of.get(topic, _NONE)

    def claimed(self, positions: Mapping[Place, int]) -> None:
        """These partitions are claimed, and handled up to here."""
        for (topic, partition), position in positions.items():
            self._of.setdefault(topic, {})[partition] = position

    def committed(self, read: Mapping[Place, tuple[int, int]]) -> None:
        """A batch that has read these partitions, each from one position to another, is stored."""
        for (topic, partition), (_, after) in read.items():
            self._of.setdefault(topic, {})[partition] = after

    def clear(self) -> None:
        """No partition is claimed."""
        self._of.clear()


_NONE: Mapping[int, int] = {}
