"""The clock of the system, passed in as an argument, so that tests can replace it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of wall time and of elapsed time, both in seconds."""

    def now(self) -> float:
        """Seconds since the Unix epoch; used for everything that is stored or logged."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start, never decreasing; used for timers."""
        ...


class SystemClock:
    """The clock of this machine."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


def _formatter() -> "Callable[[float], str]":
    last = -1.0, ""  # one tuple, so that a thread never reads a time and a text of two calls

    def iso(at: float) -> str:
        """Epoch seconds as ISO 8601 in UTC, to the millisecond.

        The last result is cached, because a batch formats the same time often.
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
