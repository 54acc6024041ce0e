"""How long a batch processor waits before it repeats a failed operation."""

FIRST, LONGEST = 0.1, 5.0
"""The first wait and the longest one, in seconds. Each consecutive failure doubles the wait."""


class RetryWaits:
    """The waits of one processor, in seconds."""

    def __init__(self) -> None:
        self._next = FIRST
        self._lost = 0
        """Batches refused because of another worker's claim since the last commit."""

    def database_failed(self) -> float:
        """Return how long to wait for a database that did not answer."""
        wait, self._next = self._next, min(self._next * 2, LONGEST)
        return wait

    def database_answered(self) -> None:
        """Begin with the first wait again."""
        self._next = FIRST

    def claim_lost(self) -> float:
        """Return how long to wait before shards that another worker has claimed are claimed again.

        0.0 if a batch was committed since the last time. Without the wait, workers that claim the
        same shards in turn could prevent each other's commits.
        """
        self._lost += 1
        return 0.0 if self._lost == 1 else min(FIRST * 2 ** min(self._lost, 10), LONGEST)

    def committed(self) -> None:
        """Note that a batch was committed."""
        self._lost = 0
