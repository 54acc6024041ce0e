"""Virtual clocks whose wall time may be wrong, as an administrator or NTP leaves it."""

from order_sagas.system.runtime import VirtualClock

START = 1_750_000_000.0
"""The wall time at which every harness begins; a constant, so that runs compare."""


class HarnessClock(VirtualClock):
    """Timers follow the elapsed time; `shift` moves the wall time alone."""

    def __init__(self) -> None:
        super().__init__(START)

    def shift(self, seconds: float) -> None:
        """Set the wall clock forward, or back if `seconds` are negative."""
        self._start += seconds


class WorkerClock(VirtualClock):
    """The clock of one worker: time passes as for all, its wall time may be skewed and drift."""

    def __init__(self, true: HarnessClock) -> None:
        super().__init__()
        self._true = true
        self.monotonic = true.monotonic  # type: ignore[method-assign]  # asked for all the time
        self.now = true.now  # type: ignore[method-assign]
        self.jump_to = true.jump_to  # type: ignore[method-assign]
        self.advance = true.advance  # type: ignore[method-assign]

    def skew(self, seconds: float, drift: float) -> None:
        """Be so many seconds ahead of the true time from now on, and gain `drift` each second."""
        true, since = self._true, self._true.monotonic()

        def now() -> float:
            return true.now() + seconds + drift * (true.monotonic() - since)

        self.now = now  # type: ignore[method-assign]
