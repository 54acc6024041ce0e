"""Times in which no answer could come: the log or the database was away, or a service paused."""

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Protocol

MOST = 1000
"""Separate outages that are remembered. Of more, the two with the shortest time between them become
one, which includes that time: a deadline is put off by a little more, and never by less."""


class Spans:
    """Stretches of time, as (begun, ended) in seconds; those that touch each other are one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._begun: list[float] = []
        self._ended: list[float] = []
        self._before: list[float] = [0.0]
        """The length of all stretches before each, and of all of them at the end."""

    def __bool__(self) -> bool:
        return bool(self._begun)

    def __len__(self) -> int:
        return len(self._begun)

    def add(self, begun: float, ended: float) -> None:
        """Add a stretch; nothing happens if it has no length, or is known."""
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
        """Seconds between the two moments that are part of a stretch."""
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
    """Is told when an outage begins and ends, so that a restart does not forget it."""

    def began(self, what: str, since: float) -> None:
        """`what` is away. Raises nothing."""
        ...

    def ended(self, what: str, since: float, until: float) -> None:
        """`what` is back. Raises nothing."""
        ...


class Outages:
    """What the deadlines of waiting sagas are put off by, so that an outage times nobody out.

    At most `grace` seconds in all for one wait; after that a deadline passes, outage or not. A
    pause is meant: it counts for those who wait for the paused service, for as long as it lasts.
    """

    def __init__(self, grace: float = 3600.0) -> None:
        self.grace = grace
        self.journal: Journal | None = None
        self._past = Spans()
        self._since: dict[str, float] = {}
        self._past_pauses: dict[str, Spans] = {}
        self._paused_since: dict[str, float] = {}

    def begin(self, what: str, now: float) -> None:
        """`what` is away; saying so twice changes nothing."""
        if what not in self._since:
            self._since[what] = now
            if self.journal:
                self.journal.began(what, now)

    def end(self, what: str, now: float) -> None:
        """`what` is back, or was never away."""
        since = self._since.pop(what, None)
        if since is not None:
            self.add(since, now)
            if self.journal:
                self.journal.ended(what, since, now)

    def add(self, since: float, until: float) -> None:
        """There was an outage once; saying so twice changes nothing."""
        self._past.add(since, until)

    def pause(self, service: str, since: float) -> None:
        """The service is paused; saying so twice changes nothing."""
        self._paused_since.setdefault(service, since)

    def unpause(self, service: str, now: float) -> None:
        """The service works again, or was never paused."""
        since = self._paused_since.pop(service, None)
        if since is not None:
            self.paused(service, since, now)

    def paused(self, service: str, since: float, until: float) -> None:
        """The service was paused once; saying so twice changes nothing."""
        self._past_pauses.setdefault(service, Spans()).add(since, until)

    def is_paused(self, service: str) -> bool:
        """Whether it is paused now."""
        return service in self._paused_since

    def __bool__(self) -> bool:
        return bool(self._past or self._since or self._past_pauses or self._paused_since)

    def length(self, since: float, now: float) -> float:
        """Seconds of outage between the two moments, at most the grace."""
        begun = min(self._since.values(), default=now)
        return min(_covered(self._past, begun, since, now), self.grace)

    def paused_for(self, service: str, since: float, now: float) -> float:
        """Seconds between the two moments in which the service was paused."""
        begun = self._paused_since.get(service, now)
        return _covered(self._past_pauses.get(service, _NEVER), begun, since, now)


_NEVER = Spans()


def _covered(past: Spans, begun: float, since: float, now: float) -> float:
    """Of past stretches, and of one that began and lasts, the seconds between two moments."""
    lasting = max(0.0, now - max(since, begun))
    return lasting + past.covered(since, max(since, min(begun, now)))
