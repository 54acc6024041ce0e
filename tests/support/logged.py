"""The log lines of a part of a test, as dictionaries."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from order_sagas.system.logs.capture import LogCapture


@contextmanager
def captured_logs() -> Iterator[list[dict[str, Any]]]:
    """Capture the log lines of this process within the context; the list has them at its end.

    `structlog.testing.capture_logs` misses those of loggers that were cached by a LogCapture
    before, in whatever test.
    """
    capture, lines = LogCapture(lambda: 0.0), list[dict[str, Any]]()
    capture.open()
    try:
        yield lines
    finally:
        capture.close()
        lines += map(json.loads, capture.lines)
