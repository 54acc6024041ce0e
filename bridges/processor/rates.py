"""How fast counters grow, now rather than on the average of a long life."""

INTERVAL = 5.0
"""Seconds over which a rate is taken, at least; twice as many at most, while something happens."""


class Rates:
    """Of several counters, a second each. Time comes from whoever calls."""

    def __init__(self, now: float, *counters: int) -> None:
        self._older = self._newer = (now, counters)

    def note(self, now: float, *counters: int) -> None:
        """What the counters are at now; call it whenever they may have grown."""
        if now - self._newer[0] >= INTERVAL:
            self._older, self._newer = self._newer, (now, counters)

    def at(self, now: float, *counters: int) -> tuple[float, ...]:
        """The rates over the last interval."""
        self.note(now, *counters)
        began, before = self._older
        seconds = now - began
        if seconds <= 0:
            return tuple(0.0 for _ in counters)
        return tuple((n - b) / seconds for n, b in zip(counters, before, strict=True))
