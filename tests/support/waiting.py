"""Waits for a condition, with a time limit."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 60.0
"""Time limit in seconds; reached only by a failing test."""


def wait_until(condition: Callable[[], T], what: str, timeout: float = TIMEOUT) -> T:
    """Return the first true result of `condition`; fails the test with `what` after the limit."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        pause.wait(0.02)
    return answer
