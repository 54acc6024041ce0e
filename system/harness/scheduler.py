"""Actions that the harness runs at virtual times, outside of any worker."""

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[], None]


class Agenda:
    """A queue of actions by time; actions of the same time run in the order of `add`."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._order = 0

    def add(self, at: float, action: Action) -> None:
        """Schedule an action at a time, in the clock's monotonic seconds."""
        self._order += 1
        heappush(self._heap, (at, self._order, action))

    def next_due(self) -> float | None:
        """Return when the next action is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def run_due(self, now: float) -> None:
        """Run all due actions, including those that they add for the same time."""
        while self._heap and self._heap[0][0] <= now:
            heappop(self._heap)[2]()
