"""What time it is: one clock, injected, so that a test or a simulation can own it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time and elapsed time, both in seconds."""

    def now(self) -> float:
        """Seconds since the Unix epoch; what is stored and logged."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back; what timers use."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


def _formatter() -> "Callable[[float], str]":
    last = -1.0, ""  # one tuple: threads see both or none

    def iso(at: float) -> str:
        """Epoch seconds as ISO 8601 in UTC, to the millisecond.

        The last answer is kept: a batch asks for the same moment many times.
        """
        nonlocal last
        known, text = last
        if at != known:
            moment = datetime.fromtimestamp(at, UTC)
            text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            last = at, text
        return text

    return iso


iso = _formatter()
