"""A virtual clock whose wall time may be set, as an administrator or NTP does."""

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
