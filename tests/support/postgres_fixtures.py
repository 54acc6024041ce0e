"""Fixtures for tests against a real PostgreSQL.

`POSTGRES_URL` names a server (and a database to connect to first); without it one is started from
the wheel. If neither exists, these tests are skipped, or fail if `REQUIRE_POSTGRES=1`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.support.postgres import PostgresServer, why_no_postgres
from tests.support.required import skip_or_fail
from tests.support.session_servers import shared_postgres


@pytest.fixture(scope="session")
def postgres_server_url() -> str:
    """The SQLAlchemy URL of a server that all tests of this run share."""
    if given := os.environ.get("POSTGRES_URL"):
        url = make_url(given).set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)
    need_postgres()
    return shared_postgres().url()


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database for this test only."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(postgres_server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    url = make_url(postgres_server_url).set(database=name)
    yield url.render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A running server for this test only, which may stop, kill and restart it."""
    need_postgres()
    # Not in pytest's folder: another run, as root, would shut the server's user out of it.
    with TemporaryDirectory(prefix="order-sagas-tests-") as home:
        server = PostgresServer(Path(home) / "postgres", durable=False)
        server.start()
        yield server
        server.kill()


def need_postgres() -> None:
    """Skip the test if there is no PostgreSQL, or fail it if PostgreSQL is required."""
    if missing := why_no_postgres():
        skip_or_fail("REQUIRE_POSTGRES", missing)
