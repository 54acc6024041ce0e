"""What the harness has planned: things that happen at a virtual time, outside of any worker."""

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[], None]


class Agenda:
    """Actions by time; those of the same time in the order in which they were planned."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._order = 0

    def add(self, at: float, action: Action) -> None:
        """Plan an action for a time, in the clock's monotonic seconds."""
        self._order += 1
        heappush(self._heap, (at, self._order, action))

    def next_due(self) -> float | None:
        """When the next action is due; None if nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def run_due(self, now: float) -> None:
        """Do what is due, what is planned meanwhile for the same time included."""
        while self._heap and self._heap[0][0] <= now:
            heappop(self._heap)[2]()
