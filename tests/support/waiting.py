"""Waiting for something to be so, for as long as it takes and no longer than is sensible."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 60.0
"""Seconds; only a test that fails ever waits for them."""


def wait_until(condition: Callable[[], T], what: str, timeout: float = TIMEOUT) -> T:
    """The first true answer of `condition`; fails the test, saying `what` was waited for."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        pause.wait(0.02)
    return answer
