"""Times in which no reply could come: outages of log and database, and pauses of services."""

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Protocol

MOST = 1000
"""Maximum number of separate outages that are kept. If there are more, the two with the shortest
time in between are joined, including that time, so that deadlines are put off by slightly more,
never by less."""


class Spans:
    """Intervals of time, as (begin, end) in seconds. Intervals that touch or overlap are joined."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._begun: list[float] = []
        self._ended: list[float] = []
        self._before: list[float] = [0.0]
        """The total length of the intervals before each, and of all intervals at the end."""

    def __bool__(self) -> bool:
        return bool(self._begun)

    def __len__(self) -> int:
        return len(self._begun)

    def add(self, begun: float, ended: float) -> None:
        """Add an interval. Has no effect if its length is 0, or if it is covered already."""
        if ended <= begun:
            return
        first = bisect_left(self._ended, begun)
        last = bisect_right(self._begun, ended)
        if first < last:
            begun, ended = min(begun, self._begun[first]), max(ended, self._ended[last - 1])
        self._begun[first:last], self._ended[first:last] = [begun], [ended]
        if len(self._begun) > self._most:
            self._join_nearest()
        lengths = [end - begin for begin, end in zip(self._begun, self._ended, strict=True)]
        self._before = [0.0, *accumulate(lengths)]

    def covered(self, since: float, until: float) -> float:
        """Seconds between the two times that are inside intervals."""
        return max(0.0, self._up_to(until) - self._up_to(since))

    def _up_to(self, moment: float) -> float:
        known = bisect_right(self._begun, moment)
        if not known:
            return 0.0
        last = known - 1
        return self._before[last] + min(moment, self._ended[last]) - self._begun[last]

    def _join_nearest(self) -> None:
        between = [
            after - before for before, after in zip(self._ended[:-1], self._begun[1:], strict=True)
        ]
        nearest = between.index(min(between))
        del self._ended[nearest], self._begun[nearest + 1]


class Journal(Protocol):
    """Stores outages, so that they are known after a restart."""

    def began(self, what: str, since: float) -> None:
        """Note that `what` has been unavailable since `since`. Raises nothing."""
        ...

    def ended(self, what: str, since: float, until: float) -> None:
        """Note that `what` was unavailable from `since` to `until`. Raises nothing."""
        ...


class Outages:
    """Computes how long deadlines are put off, so that outages do not make steps time out.

    An outage puts off a wait by at most `grace` seconds in total, a pause by its whole length, and
    only for the steps of the paused service. If there is a `journal`, it is notified of each begin
    and end.
    """

    def __init__(self, grace: float = 3600.0) -> None:
        self.grace = grace
        self.journal: Journal | None = None
        self._past = Spans()
        self._since: dict[str, float] = {}
        self._past_pauses: dict[str, Spans] = {}
        self._paused_since: dict[str, float] = {}

    def begin(self, what: str, now: float) -> None:
        """Note that `what` is unavailable since `now`. Has no effect if that was noted before."""
        if what not in self._since:
            self._since[what] = now
            if self.journal:
                self.journal.began(what, now)

    def end(self, what: str, now: float) -> None:
        """Note that `what` is available at `now`. Has no effect if it was not unavailable."""
        since = self._since.pop(what, None)
        if since is not None:
            self.add(since, now)
            if self.journal:
                self.journal.ended(what, since, now)

    def add(self, since: float, until: float) -> None:
        """Add an outage that is over. Has no effect if it is known already."""
        self._past.add(since, until)

    def pause(self, service: str, since: float) -> None:
        """Note that a service is paused since `since`. Has no effect if that is known already."""
        self._paused_since.setdefault(service, since)

    def unpause(self, service: str, now: float) -> None:
        """Note that the pause of a service ended at `now`. Has no effect if it was not paused."""
        since = self._paused_since.pop(service, None)
        if since is not None:
            self.paused(service, since, now)

    def paused(self, service: str, since: float, until: float) -> None:
        """Add a pause that is over. Has no effect if it is known already."""
        self._past_pauses.setdefault(service, Spans()).add(since, until)

    def is_paused(self, service: str) -> bool:
        """True if the service is paused now."""
        return service in self._paused_since

    def __bool__(self) -> bool:
        return bool(self._past or self._since or self._past_pauses or self._paused_since)

    def length(self, since: float, now: float) -> float:
        """Seconds of outage between the two times, at most `grace`."""
        begun = min(self._since.values(), default=now)
        return min(_covered(self._past, begun, since, now), self.grace)

    def lasts(self, what: str, now: float) -> float:
        """Seconds for which `what` has been unavailable; 0.0 if it is available."""
        return now - self._since.get(what, now)

    def is_lasting(self, now: float) -> bool:
        """True if something is unavailable now, and for no longer than `grace` seconds."""
        begun = min(self._since.values(), default=now)
        return bool(self._since) and now - begun < self.grace

    def paused_for(self, service: str, since: float, now: float) -> float:
        """Seconds between the two times in which the service was paused."""
        begun = self._paused_since.get(service, now)
        return _covered(self._past_pauses.get(service, _NEVER), begun, since, now)


_NEVER = Spans()


def _covered(past: Spans, begun: float, since: float, now: float) -> float:
    """Seconds between two times that are in past intervals or after `begun`."""
    lasting = max(0.0, now - max(since, begun))
    return lasting + past.covered(since, max(since, min(begun, now)))
