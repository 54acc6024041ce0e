"""What time it is: one clock, injected, so that a test or a simulation can own it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time and elapsed time, both in seconds."""

    def now(self) -> float:
        """Seconds since the Unix epoch; what is stored and logged."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back; what timers use."""


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
