"""A clock that moves only when the program advances it, for tests and simulation."""


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
        """Seconds since this clock was created."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Raises ValueError if `seconds` is negative.

        This does not fire timers; `EventLoopBase.advance` does.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        self._elapsed += seconds

    def jump_to(self, monotonic: float) -> None:
        """Move to this elapsed time exactly; an earlier time is ignored."""
        self._elapsed = max(self._elapsed, monotonic)
