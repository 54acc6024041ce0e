"""Defaults of a PostgreSQL server, database or role have no effect. Schemas are separate."""

from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.queries import reading
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.postgres_standby import administer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.postgres

SETTINGS = {
    "TimeZone": "Pacific/Chatham",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "standard_conforming_strings": "off",
    "statement_timeout": "300ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "transaction_timeout": "300ms",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
}
SLOW = "SELECT 1 FROM pg_sleep(0.4)"
"""A query that takes longer than the time limits."""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


def set_default(url: str, name: str, value: str) -> None:
    """Set the default of a database."""
    database = sa.make_url(url).database
    administer(url, f"ALTER DATABASE {database} SET {name} = '{value}'")


def with_options(url: str, options: str) -> str:
    """The URL with options for its sessions."""
    made = sa.make_url(url).update_query_dict({"options": options})
    return made.render_as_string(hide_password=False)


def drive(system: EmbeddedSystem) -> None:
    """Run some orders that complete and one that is cancelled; return what readers see of them."""
    system.load({"PEN": 6})
    system.put(*[an_order(f"o-{n}") for n in range(3)], an_order("late"))

    assert ["COMPLETED"] * 3 == [system.status(f"o-{n}") for n in range(3)]
    assert "CANCELLED" == system.status("late")  # nothing is left
    began = "SELECT DISTINCT started_at FROM sagas"
    assert [(system.clock.now(),)] == list(system.store.db.rows(began, ()))
    with system.store.db.transaction() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert [("read committed",)] == cursor.fetchall()
    assert [] == system.violations()


@pytest.mark.parametrize("name", SETTINGS)
def test_defaults_of_the_server_have_no_effect(
    postgres_url: str, tmp_path: Path, name: str
) -> None:
    """Neither for workers nor for readers."""
    known = administer(postgres_url, f"SELECT 1 FROM pg_settings WHERE name = '{name}'")
    if not known:
        pytest.skip("This version does not have the setting.")
    set_default(postgres_url, name, SETTINGS[name])
    with EmbeddedSystem(tmp_path, database=postgres_url, began=1_700_000_000.123456) as system:
        drive(system)
        if name in ("statement_timeout", "transaction_timeout"):
            assert [(1,)] == list(system.store.db.rows(SLOW, ()))
            with reading(postgres_url) as db:
                assert 1 == db.exec_driver_sql(SLOW).scalar_one()
        assert [("on",)] == list(system.store.db.rows("SHOW synchronous_commit", ()))


def test_a_session_that_the_server_ended_while_idle_is_no_outage(
    postgres_url: str, tmp_path: Path
) -> None:
    """Another session is opened, for reads and for transactions, and nothing is repeated."""
    set_default(postgres_url, "idle_session_timeout", "500ms")
    elsewhere = sa.make_url(postgres_url).set(database="postgres")
    others = SESSIONS.replace("current_database()", f"'{sa.make_url(postgres_url).database}'")
    server = elsewhere.render_as_string(hide_password=False)
    with EmbeddedSystem(tmp_path, database=postgres_url) as system:
        wait_until(lambda: [(0,)] == administer(server, others), "idle sessions to end")
        drive(system)
        administer(postgres_url, END_OTHERS)  # as a restart of the server does
        system.put(an_order("o-4"))

        assert "CANCELLED" == system.status("o-4")
        assert not [line for line in system.logged.lines if b".waiting" in line]


def test_default_read_only_transactions_count_as_an_outage(
    postgres_url: str, tmp_path: Path
) -> None:
    """`default_transaction_read_only`, as after a failover: workers wait until it ends."""
    with EmbeddedSystem(tmp_path, database=postgres_url) as system:
        system.load({"PEN": 6})
        system.append(system.log.outgoing("order-events", "o-1", encoded("o-1")))
        set_default(postgres_url, "default_transaction_read_only", "on")
        administer(postgres_url, END_OTHERS)
        system.run()
        assert "" == system.status("o-1")
        assert [line for line in system.logged.lines if b".waiting" in line]
        administer(
            postgres_url,
            "SET default_transaction_read_only = off",
            f"ALTER DATABASE {sa.make_url(postgres_url).database} "
            "RESET default_transaction_read_only",
        )
        system.advance(10)

        assert "COMPLETED" == system.status("o-1")
        assert [] == system.violations()


def encoded(order_id: str) -> bytes:
    """An order as the value of a record."""
    return msgspec.json.encode(an_order(order_id))


def test_systems_in_schemas_of_one_database_are_independent(
    postgres_url: str, tmp_path: Path
) -> None:
    """The same order ids; one schema is named by the URL, the other by the role."""
    administer(postgres_url, "CREATE SCHEMA shop", "CREATE SCHEMA market")
    urls = [with_options(postgres_url, f"-csearch_path={name}") for name in ("shop", "market")]
    for url, pens in zip(urls, (10, 0), strict=True):
        with EmbeddedSystem(tmp_path, database=url) as system:
            system.load({"PEN": pens} if pens else {"PENCIL": 1})
            system.put(an_order("o-1"))

            assert ("COMPLETED" if pens else "CANCELLED") == system.status("o-1")
            assert [] == system.violations()

    tables = "SELECT table_schema, count(*) FROM information_schema.tables"
    counts = administer(
        postgres_url,
        f"{tables} WHERE table_schema IN ('public', 'shop', 'market') GROUP BY 1 ORDER BY 1",
    )
    assert ["market", "shop"] == [schema for schema, _ in counts]
    assert counts[0][1] == counts[1][1]


def test_a_schema_that_does_not_exist_is_named(postgres_url: str, tmp_path: Path) -> None:
    """Instead of using tables in another one."""
    with pytest.raises(StoreError, match="no schema has been selected to create in"):
        EmbeddedSystem(tmp_path, database=with_options(postgres_url, "-csearch_path=shoop"))


def test_options_that_set_nothing_are_passed_on(postgres_url: str) -> None:
    """Without a pooler, the server itself reads them."""
    db = connect(with_options(postgres_url, "-c work_mem=8MB -d 2 --statement-timeout=7s"))
    shown = "SELECT current_setting('work_mem'), current_setting('statement_timeout')"

    assert [("8MB", "7s")] == list(db.rows(shown, ()))
    db.close()
