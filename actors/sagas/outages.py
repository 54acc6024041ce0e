"""Times in which no reply could come: the log or the database was away, or a service was paused."""

from collections import deque
from collections.abc import Iterable

KEPT = 64
"""Number of past outages and pauses that are kept. Older ones end before any deadline that is open.
"""

Span = tuple[float, float]
"""Begin and end, in seconds since the Unix epoch."""


class Outages:
    """Computes how long deadlines are put off, so that outages do not make steps time out.

    An outage puts off a wait by at most `grace` seconds in total, a pause by its whole length, and
    only for the steps of the paused service. Kept in memory: a restart begins without outages.
    """

    def __init__(self, grace: float = 3600.0) -> None:
        self.grace = grace
        self._past: deque[Span] = deque(maxlen=KEPT)
        self._since: dict[str, float] = {}
        self._past_pauses: dict[str, deque[Span]] = {}
        self._paused_since: dict[str, float] = {}

    def begin(self, what: str, now: float) -> None:
        """Note that `what` is away since `now`. Has no effect if that is known already."""
        self._since.setdefault(what, now)

    def end(self, what: str, now: float) -> None:
        """Note that `what` is available at `now`. Has no effect if it was not away."""
        since = self._since.pop(what, None)
        if since is not None:
            self._past.append((since, now))

    def pause(self, service: str, since: float) -> None:
        """Note that a service is paused since `since`. Has no effect if that is known already."""
        self._paused_since.setdefault(service, since)

    def unpause(self, service: str, now: float) -> None:
        """Note that the pause of a service ended at `now`. Has no effect if it was not paused."""
        since = self._paused_since.pop(service, None)
        if since is not None:
            self.paused(service, since, now)

    def paused(self, service: str, since: float, until: float) -> None:
        """Add a pause that is over."""
        self._past_pauses.setdefault(service, deque(maxlen=KEPT)).append((since, until))

    def is_paused(self, service: str) -> bool:
        """True if the service is paused now."""
        return service in self._paused_since

    def __bool__(self) -> bool:
        return bool(self._past or self._since or self._past_pauses or self._paused_since)

    def length(self, since: float, now: float) -> float:
        """Seconds of outage between the two times, at most `grace`."""
        spans = [*self._past, *((begun, now) for begun in self._since.values())]
        return min(_covered(spans, since, now), self.grace)

    def paused_for(self, service: str, since: float, now: float) -> float:
        """Seconds between the two times in which the service was paused."""
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
