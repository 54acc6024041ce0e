"""Fixtures that every test may ask for."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.support.xdist_groups",
    "tests.support.mount_namespace",
    "tests.support.session_servers",
    "tests.support.kafka_fixtures",
    "tests.support.postgres_fixtures",
]

# A busy machine is no failure: no test asserts a time, and Hypothesis shall not either.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def _umask_of_the_test_run() -> Iterator[None]:
    """Commands that run in this process set its umask; no other test shall depend on that."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
