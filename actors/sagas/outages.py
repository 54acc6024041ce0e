"""Times in which no answer could come, because the log or the database was away."""

from collections import deque

KEPT = 64
"""Outages that are remembered; older ones lie before any deadline that still counts."""


class Outages:
    """What the deadlines of waiting sagas are put off by, so that an outage times nobody out.

    At most `grace` seconds in all for one wait; after that a deadline passes, outage or not.
    """

    def __init__(self, grace: float = 3600.0) -> None:
        self.grace = grace
        self._past: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._since: dict[str, float] = {}

    def begin(self, what: str, now: float) -> None:
        """`what` is away; saying so twice changes nothing."""
        self._since.setdefault(what, now)

    def end(self, what: str, now: float) -> None:
        """`what` is back, or was never away."""
        since = self._since.pop(what, None)
        if since is not None:
            self._past.append((since, now))

    def __bool__(self) -> bool:
        return bool(self._past or self._since)

    def length(self, since: float, now: float) -> float:
        """Seconds of outage between the two moments, at most the grace."""
        spans = [*self._past, *((begun, now) for begun in self._since.values())]
        total, covered = 0.0, since
        for begun, ended in sorted(spans):
            begun, ended = max(begun, covered), min(ended, now)
            if ended > begun:
                total += ended - begun
                covered = ended
        return min(total, self.grace)
