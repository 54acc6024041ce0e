"""Fixtures that every test may ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.support.session_servers",
    "tests.support.kafka_fixtures",
    "tests.support.postgres_fixtures",
]

# A busy machine is no failure: no test asserts a time, and Hypothesis shall not either.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")
