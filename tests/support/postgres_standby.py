"""A streaming standby of a PostgreSQL server of the tests, to be promoted when that one fails."""

from pathlib import Path

import sqlalchemy as sa

from order_sagas.bridges.storage.connection import postgres_engine
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until


def administer(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements, each in a transaction of its own; return the rows of the last one."""
    engine = postgres_engine(sa.make_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        done = [db.exec_driver_sql(statement) for statement in statements][-1]
        rows = [tuple(row) for row in done] if done.returns_rows else []
    engine.dispose()
    return rows


def start_standby(primary: PostgresServer, home: Path | None = None) -> PostgresServer:
    """Copy a running server to a new folder, by default beside its own, and start it as a standby.

    From then on, a commit on the primary waits until the standby has it.
    """
    home = home or primary.home.with_name(f"{primary.home.name}-standby")
    primary.copy_to(home)
    standby = PostgresServer(home, durable=primary.durable)
    standby.start()
    administer(
        primary.url(),
        "ALTER SYSTEM SET synchronous_standby_names = '*'",
        "SELECT pg_reload_conf()",
    )
    streaming = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    wait_until(lambda: [(1,)] == administer(primary.url(), streaming), "the standby to follow")
    return standby


def promote(standby: PostgresServer) -> None:
    """Make the standby the primary."""
    administer(standby.url(), "SELECT pg_promote()")


def url_of_both(*servers: PostgresServer) -> str:
    """Return the URL of a database that one of these servers has."""
    query = {"host": ",".join(str(server.home) for server in servers)}
    url = sa.make_url(servers[0].url()).set(query=query)
    return url.render_as_string(hide_password=False)
