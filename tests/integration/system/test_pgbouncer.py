"""Workers, commands and readers on PostgreSQL through a real PgBouncer in transaction mode."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from order_sagas.bridges.storage.connection import connect, postgres_engine
from order_sagas.bridges.storage.postgres import PostgresConnection
from tests.integration.system.conftest import MakeSystem
from tests.support.kafka_system import orders
from tests.support.pgbouncer import PgBouncer, need_pgbouncer
from tests.support.postgres_standby import administer
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

IN_SHOP = {"options": "-csearch_path=shop"}


@pytest.fixture
def pooler(tmp_path: Path, postgres_url: str) -> Iterator[PgBouncer]:
    """A pooler in front of a database with a schema `shop`."""
    need_pgbouncer()
    administer(postgres_url, "CREATE SCHEMA shop")
    made = PgBouncer(tmp_path, postgres_url)
    yield made
    made.close()


def through(pooler: PgBouncer) -> str:
    """The URL of the schema `shop` through the pooler."""
    url = sa.make_url(pooler.url()).update_query_dict(IN_SHOP)
    return url.render_as_string(hide_password=False)


def test_workers_share_the_sessions_of_a_pooler(
    make_system: MakeSystem, pooler: PgBouncer, postgres_url: str
) -> None:
    """A worker is killed, the database refuses a command of another one; nothing is lost."""
    system = make_system(through(pooler))
    system.make_tables()
    rule = "ALTER TABLE shop.payments ADD CONSTRAINT shop_rule CHECK (order_id <> 'bad-0')"
    administer(postgres_url, rule)
    workers = [system.start(), system.start()]
    system.load()
    system.put("order-events", *orders(300))
    wait_until(lambda: system.ended() > 20, "work to be under way")
    workers[0].stop(signal.SIGKILL)
    system.put("order-events", *orders(1, "bad"), *orders(200, "later"))
    system.wait_for_ends(500)

    assert 500 == system.statuses()["COMPLETED"]
    assert {"RUNNING"} == system.statuses().keys() - {"COMPLETED"}
    assert [] == system.violations(ended=False)
    letters = system.json_of("dead-letters", "list")
    # Published at least once: again if shards move before its row in the outbox is deleted.
    assert {True} == {'"orderId":"bad-0"' in each["value"] for each in letters}
    assert "shop_rule" in letters[0]["error"]
    assert [] == system.log("processor.failed")
    assert 0 == workers[1].stop()


def test_a_session_of_a_pooler_is_not_changed(
    pooler: PgBouncer,
) -> None:
    """Another client of the pooler would get its settings or prepared statements."""
    ours = connect(through(pooler))
    assert isinstance(ours, PostgresConnection)
    shown = "SELECT current_setting('search_path'), current_setting('statement_timeout')"
    for _ in range(20):  # a statement is prepared at its fifth use
        assert [("shop", "0")] == list(ours.rows(shown, ()))
        with ours.transaction() as cursor:
            cursor.execute(shown)
            assert ("shop", "0") == cursor.fetchone()
    others = postgres_engine(sa.make_url(pooler.url()))
    with others.connect() as db:
        assert "shop" != db.exec_driver_sql("SHOW search_path").scalar_one()
        prepared = db.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()
    assert 0 == prepared
    others.dispose()
    ours.close()
