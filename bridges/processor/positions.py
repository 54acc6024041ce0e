"""Stored offsets of the claimed partitions of a log."""

from collections.abc import Mapping

Place = tuple[str, int]
"""A topic (of the embedded log: a queue) and a partition."""


class Positions:
    """Offsets as the database has them: set by claims, moved by commits.

    A commit compares them with the stored ones, and is refused if they differ.

    A batch notes in `Batch.offsets`, for each place that it read, the position before and after.
    """

    def __init__(self) -> None:
        self._of: dict[str, dict[int, int]] = {}

    def of(self, topic: str) -> Mapping[int, int]:
        """Return the positions of the claimed partitions of a topic; empty if none is claimed."""
        return self._of.get(topic, _NONE)

    def claimed(self, positions: Mapping[Place, int]) -> None:
        """Set the positions of partitions that were claimed."""
        for (topic, partition), position in positions.items():
            self._of.setdefault(topic, {})[partition] = position

    def committed(self, read: Mapping[Place, tuple[int, int]]) -> None:
        """Move the positions by a committed batch; `read` maps each place to (before, after)."""
        for (topic, partition), (_, after) in read.items():
            self._of.setdefault(topic, {})[partition] = after

    def clear(self) -> None:
        """Forget all positions: no partition is claimed."""
        self._of.clear()


_NONE: Mapping[int, int] = {}
