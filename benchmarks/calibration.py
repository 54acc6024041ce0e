"""How fast this machine is today: a fixed loop, so that figures of different days compare."""

import time

REFERENCE_SECONDS = 0.116
"""What the loop took on the quiet machine of the first figures."""


def _loop() -> int:
    seen: dict[int, int] = {}
    total = 0
    for i in range(1_000_000):
        seen[i & 1023] = i
        total += len(str(i))
    return total


def calibrate(rounds: int = 5) -> float:
    """CPU seconds that the loop takes here: the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        _loop()
        best = min(best, time.thread_time() - start)
    return best


def scale(measured: float) -> float:
    """The factor from seconds on this machine to seconds on the reference machine."""
    return REFERENCE_SECONDS / measured
