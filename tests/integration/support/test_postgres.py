"""The PostgreSQL server of the test fixtures."""

import pytest
from sqlalchemy import create_engine, text

from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.postgres


def test_every_test_gets_an_empty_database(postgres_url: str) -> None:
    """It contains nothing of another test, and the server has a current version."""
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version_num")).scalar_one()
        tables = connection.execute(
            text("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalar_one()
    engine.dispose()

    assert int(version) >= 140000
    assert tables == 0


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill])
def test_committed_data_survives_a_restart(own_postgres: PostgresServer, end) -> None:
    """However the server ended, it comes back at the same address with its data."""
    engine = create_engine(own_postgres.url(), pool_pre_ping=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 42 AS answer"))
    end(own_postgres)
    assert not own_postgres.is_running()

    own_postgres.start()
    with engine.connect() as connection:
        answer = connection.execute(text("SELECT answer FROM kept")).scalar_one()
    engine.dispose()

    assert answer == 42
