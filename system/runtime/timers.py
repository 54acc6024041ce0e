"""Timers (wakeups of actors), ordered by due time."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from order_sagas.system.runtime.cell import Cell

# Up to this number of stale timers, removing them costs more than it frees.
_SWEEP_AT = 256

Timer = tuple[float, int, "Cell", Any, Any]
"""Due time (monotonic seconds), order in which it was set, actor, requested period, payload."""


class TimerHeap:
    """A heap: setting and firing take O(log n). Timers due together fire in the order of setting.

    Timers of an actor that has exited are stale: they do not fire. When stale timers are half of
    the heap they are removed, so that they take O(1) each and do not accumulate.
    """

    __slots__ = ("_heap", "_order", "_stale")

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = 0
        self._stale = 0

    def set(self, due: float, cell: "Cell", period: Any, payload: Any) -> None:
        """Set a timer that wakes `cell` at `due`."""
        self._order = order = self._order + 1
        cell.timers += 1
        heappush(self._heap, (due, order, cell, period, payload))

    def pop_due(self, now: float) -> Iterator[Timer]:
        """Remove and yield the timers of living actors that are due at `now`, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heappop(heap)
            cell = timer[2]
            if cell.actor is None:
                self._stale -= 1
            else:
                cell.timers -= 1
                yield timer

    def next_due(self) -> float | None:
        """Return when the next timer of a living actor is due, or None."""
        heap = self._heap
        while heap and heap[0][2].actor is None:
            heappop(heap)
            self._stale -= 1
        return heap[0][0] if heap else None

    def forget(self, cell: "Cell") -> None:
        """Drop the timers of an actor that has just ended (its `actor` is None already)."""
        self._stale += cell.timers
        cell.timers = 0
        if self._stale > _SWEEP_AT and self._stale * 2 > len(self._heap):
            # In place, since `pop_due` may be iterating over this list.
            self._heap[:] = [timer for timer in self._heap if timer[2].actor is not None]
            heapify(self._heap)
            self._stale = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def __len__(self) -> int:
        """The number of timers that will fire."""
        return len(self._heap) - self._stale

    def __iter__(self) -> Iterator[Timer]:
        """The timers that will fire, earliest first. O(n log n): for inspection only."""
        return iter(sorted(timer for timer in self._heap if timer[2].actor is not None))
