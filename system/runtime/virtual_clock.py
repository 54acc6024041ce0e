"""A clock that stands still until it is moved, so that ninety days pass in a moment."""


class VirtualClock:
    """Wall time and elapsed time that advance together, only by `advance` and `jump_to`.

    `start` is the wall time, in seconds since the Unix epoch, at which elapsed time is zero.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._start = start
        self._elapsed = 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass. Raises ValueError if they are negative.

        This moves the clock and nothing else; `EventLoopBase.advance` also fires the timers.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        self._elapsed += seconds

    def jump_to(self, monotonic: float) -> None:
        """Move to that elapsed time exactly; a time already passed changes nothing."""
        self._elapsed = max(self._elapsed, monotonic)
