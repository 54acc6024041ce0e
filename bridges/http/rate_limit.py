"""How often one caller may ask: a token bucket for each."""

import time
from collections.abc import Callable

MANY = 10_000
"""Callers at which those are forgotten whose bucket is full again."""


class Buckets:
    """`rate` requests a second on average, and as many at once; 0 for any number."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._size = max(1.0, rate)
        self._now = now
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> float:
        """0 if the caller may ask now; otherwise the seconds until it may."""
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
