"""Rate limit of requests: one token bucket per caller."""

import time
from collections.abc import Callable

MANY = 10_000
"""When this many callers are tracked, callers whose bucket is full are dropped."""


class RateLimiter:
    """Token buckets that allow `rate` requests per second, in bursts of as many. 0: no limit."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._size = max(1.0, rate)
        self._now = now
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> float:
        """Take a token and return 0, or return the seconds until the next token if none is left."""
        if not self._rate:
            return 0.0
        now = self._now()
        left = self._left_of(caller, now)
        if left < 1.0:
            return (1.0 - left) / self._rate
        if len(self._left) >= MANY:
            self._forget(now)
        self._left[caller] = left - 1.0, now
        return 0.0

    def _left_of(self, caller: str, now: float) -> float:
        left, at = self._left.get(caller, (self._size, now))
        return min(self._size, left + (now - at) * self._rate)

    def _forget(self, now: float) -> None:
        self._left = {
            name: kept for name, kept in self._left.items() if self._left_of(name, now) < self._size
        }
