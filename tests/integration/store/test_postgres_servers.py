"""PostgreSQL with various configurations: options of the URL, read-only sessions, encodings."""

import pytest
from sqlalchemy import create_engine, make_url, text

from order_sagas.bridges.errors import StoreError, StoreUnavailableError
from order_sagas.bridges.storage.postgres import PostgresConnection

pytestmark = pytest.mark.postgres


def connect(url: str, options: str = "") -> PostgresConnection:
    parsed = make_url(url)
    return PostgresConnection(parsed.update_query_dict({"options": options} if options else {}))


def run(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_options_of_the_url_are_kept_on_every_connection(postgres_url: str) -> None:
    """Otherwise tables would be made in one schema and read from another, seemingly empty one."""
    run(postgres_url, "CREATE SCHEMA shop")
    db = connect(postgres_url, "-csearch_path=shop")
    try:
        with db.changing_schema() as cursor:
            cursor.execute("CREATE TABLE kept (n int)")

        assert {"kept"} == db.names()
        assert [("on",)] == list(db.rows("SHOW synchronous_commit", ()))
    finally:
        db.close()
    elsewhere = connect(postgres_url)
    assert set() == elsewhere.names()
    elsewhere.close()


def test_a_read_only_server_counts_as_an_outage(postgres_url: str) -> None:
    """After a failover, it or another server is writable again."""
    run(postgres_url, "CREATE TABLE t (n int)")
    db = connect(postgres_url, "-cdefault_transaction_read_only=on")
    try:
        with (
            pytest.raises(StoreUnavailableError, match="read-only transaction"),
            db.transaction() as cursor,
        ):
            cursor.execute("INSERT INTO t VALUES (1)")
    finally:
        db.close()


def test_a_limit_of_the_server_is_no_outage(postgres_url: str) -> None:
    """Otherwise the worker would wait without end."""
    db = connect(postgres_url)
    try:
        with pytest.raises(StoreError, match="PostgreSQL: ") as raised:
            list(db.rows(f"SELECT {', '.join(['1'] * 1700)}", ()))
    finally:
        db.close()
    assert not isinstance(raised.value, StoreUnavailableError)


def test_a_database_that_is_not_utf_8_is_refused(postgres_url: str) -> None:
    """A character that it cannot store would end every worker later."""
    name = f"{make_url(postgres_url).database}_latin"
    run(postgres_url, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        latin = make_url(postgres_url).set(database=name)
        with pytest.raises(StoreError, match="encoding is LATIN1, and has to be UTF8"):
            connect(latin.render_as_string(hide_password=False))
    finally:
        run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
