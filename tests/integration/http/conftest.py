"""The API on a database of the test's own, beside a system that is on virtual time."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.embedded import EmbeddedSystem
from tests.support.http_service import serving


@pytest.fixture
def system(tmp_path) -> Iterator[EmbeddedSystem]:
    """A system that is not started yet; its logs are captured."""
    system = EmbeddedSystem(tmp_path)
    system.capture_logs()
    yield system
    system.__exit__()


@pytest.fixture
def api(system) -> Iterator[httpx.Client]:
    """A client of the API on its database, without tokens."""
    with serving(system.settings) as client:
        yield client
