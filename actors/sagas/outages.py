"""Times in which no answer could come: the log or the database was away, or a service paused."""

from collections import deque
from collections.abc import Iterable

KEPT = 64
"""Outages that are remembered; older ones lie before any deadline that still counts."""

Span = tuple[float, float]


class Outages:
    """What the deadlines of waiting sagas are put off by, so that an outage times nobody out.

    At most `grace` seconds in all for one wait; after that a deadline passes, outage or not. A
    pause is meant: it counts for those who wait for the paused service, for as long as it lasts.
    """

    def __init__(self, grace: float = 3600.0) -> None:
        self.grace = grace
        self._past: deque[Span] = deque(maxlen=KEPT)
        self._since: dict[str, float] = {}
        self._past_pauses: dict[str, deque[Span]] = {}
        self._paused_since: dict[str, float] = {}

    def begin(self, what: str, now: float) -> None:
        """`what` is away; saying so twice changes nothing."""
        self._since.setdefault(what, now)

    def end(self, what: str, now: float) -> None:
        """`what` is back, or was never away."""
        since = self._since.pop(what, None)
        if since is not None:
            self._past.append((since, now))

    def pause(self, service: str, since: float) -> None:
        """The service is paused; saying so twice changes nothing."""
        self._paused_since.setdefault(service, since)

    def unpause(self, service: str, now: float) -> None:
        """The service works again, or was never paused."""
        since = self._paused_since.pop(service, None)
        if since is not None:
            self.paused(service, since, now)

    def paused(self, service: str, since: float, until: float) -> None:
        """The service was paused once."""
        self._past_pauses.setdefault(service, deque(maxlen=KEPT)).append((since, until))

    def is_paused(self, service: str) -> bool:
        """Whether it is paused now."""
        return service in self._paused_since

    def __bool__(self) -> bool:
        return bool(self._past or self._since or self._past_pauses or self._paused_since)

    def length(self, since: float, now: float) -> float:
        """Seconds of outage between the two moments, at most the grace."""
        spans = [*self._past, *((begun, now) for begun in self._since.values())]
        return min(_covered(spans, since, now), self.grace)

    def paused_for(self, service: str, since: float, now: float) -> float:
        """Seconds between the two moments in which the service was paused."""
        spans = [*self._past_pauses.get(service, ())]
        if service in self._paused_since:
            spans.append((self._paused_since[service], now))
        return _covered(spans, since, now)


def _covered(spans: Iterable[Span], since: float, now: float) -> float:
    total, covered = 0.0, since
    for begun, ended in sorted(spans):
        begun, ended = max(begun, covered), min(ended, now)
        if ended > begun:
            total += ended - begun
            covered = ended
    return total
