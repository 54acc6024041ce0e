"""Virtual clocks whose wall time can jump, be skewed and drift."""

from order_sagas.system.runtime import VirtualClock

START = 1_750_000_000.0
"""The wall time at which every harness starts, in seconds since the Unix epoch."""


class HarnessClock(VirtualClock):
    """The reference clock. Timers use the elapsed time; `shift` changes only the wall time."""

    def __init__(self) -> None:
        super().__init__(START)

    def shift(self, seconds: float) -> None:
        """Set the wall clock forward, or back if `seconds` is negative."""
        self._start += seconds


class WorkerClock(VirtualClock):
    """The clock of one worker: elapsed time is shared, wall time can be skewed."""

    def __init__(self, true: HarnessClock) -> None:
        super().__init__()
        self._true = true
        self.monotonic = true.monotonic  # type: ignore[method-assign]  # called very often
        self.now = true.now  # type: ignore[method-assign]
        self.jump_to = true.jump_to  # type: ignore[method-assign]
        self.advance = true.advance  # type: ignore[method-assign]

    def skew(self, seconds: float, drift: float) -> None:
        """Set the wall time `seconds` ahead of the true time, gaining `drift` per second."""
        true, since = self._true, self._true.monotonic()

        def now() -> float:
            return true.now() + seconds + drift * (true.monotonic() - since)

        self.now = now  # type: ignore[method-assign]
