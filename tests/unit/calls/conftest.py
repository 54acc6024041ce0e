"""Fixtures for the log of calls."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from order_sagas.system.logs.capture import LogCapture

Events = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged() -> Iterator[Events]:
    """Return the lines that were logged since the test began."""
    capture = LogCapture(lambda: 0.0)
    capture.open()
    yield lambda: [msgspec.json.decode(line) for line in capture.lines]
    capture.close()
