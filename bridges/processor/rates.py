"""Current growth rates of counters."""

INTERVAL = 5.0
"""Minimum seconds over which a rate is taken. While counters grow, the maximum is twice that."""


class Rates:
    """Rates of several counters, per second. The caller passes the time, in seconds."""

    def __init__(self, now: float, *counters: int) -> None:
        self._older = self._newer = (now, counters)

    def note(self, now: float, *counters: int) -> None:
        """Record the values of the counters; call it whenever they may have grown."""
        if now - self._newer[0] >= INTERVAL:
            self._older, self._newer = self._newer, (now, counters)

    def at(self, now: float, *counters: int) -> tuple[float, ...]:
        """Return the rates over the last interval, in the order of the counters."""
        self.note(now, *counters)
        began, before = self._older
        seconds = now - began
        if seconds <= 0:
            return tuple(0.0 for _ in counters)
        return tuple((n - b) / seconds for n, b in zip(counters, before, strict=True))
