"""Counts values in buckets, for Prometheus histograms."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 1800.0,
)  # fmt: skip
COUNTS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


class Distribution:
    """A histogram that one thread writes and others read.

    Readers may see a count that is not included in `total` yet.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Number of values in each bucket; the last has no upper bound."""
        self.total = 0.0

    def add(self, values: Iterable[float]) -> None:
        """Count values. They are sorted and the bounds looked up, as there are fewer bounds."""
        ordered, below = sorted(values), 0
        for place, bound in enumerate(self.bounds):
            if below == len(ordered):
                break
            up_to = bisect_right(ordered, bound, below)
            self.counts[place] += up_to - below
            below = up_to
        self.counts[-1] += len(ordered) - below
        self.total += sum(ordered)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Pairs of upper bound and cumulative count, as in the text format."""
        below, found = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), [*self.counts], strict=True):
            below += count
            found.append((bound, float(below)))
        return found
