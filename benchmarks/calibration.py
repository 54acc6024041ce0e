"""A fixed loop that measures the current speed of the machine, to make figures comparable."""

import time

REFERENCE_SECONDS = 0.116
"""CPU seconds of the loop on the reference machine."""


def _loop() -> int:
    seen: dict[int, int] = {}
    total = 0
    for i in range(1_000_000):
        seen[i & 1023] = i
        total += len(str(i))
    return total


def calibrate(rounds: int = 5) -> float:
    """Return the CPU seconds of the loop on this machine: the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        _loop()
        best = min(best, time.thread_time() - start)
    return best


def scale(measured: float) -> float:
    """Return the factor from CPU seconds on this machine to those on the reference machine."""
    return REFERENCE_SECONDS / measured
