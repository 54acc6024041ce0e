"""Fixtures that every test may ask for."""

pytest_plugins = [
    "tests.support.session_servers",
    "tests.support.kafka_fixtures",
    "tests.support.postgres_fixtures",
]
