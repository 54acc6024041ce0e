"""A PostgreSQL that does not answer, and closes no connection, counts as an outage."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import StoreError, StoreUnavailableError
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.storage.answer_limit import LimitedConnection
from order_sagas.bridges.storage.postgres import PostgresConnection
from order_sagas.bridges.storage.reading import reading
from order_sagas.bridges.storage.store import Store
from tests.support.fault_proxy import TO_CLIENT, TO_SERVER, FaultProxy, fault_proxies

pytestmark = pytest.mark.postgres


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[FaultProxy]:
    """A proxy to the server."""
    url = make_url(postgres_url)
    directory = url.query.get("host")
    server = Path(str(directory)) / ".s.PGSQL.5432" if directory else url.port or 5432
    with fault_proxies() as make:
        yield make(server)


@pytest.fixture
def url(proxy: FaultProxy, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> URL:
    """The URL of the database through the proxy, with a short limit."""
    monkeypatch.setattr(LimitedConnection, "answer_seconds", 0.5)
    url = make_url(postgres_url).set(host="127.0.0.1", port=proxy.port)
    return url.difference_update_query(["host"])


@pytest.fixture
def db(url: URL) -> Iterator[PostgresConnection]:
    """A connection through the proxy, with a test table."""
    db = PostgresConnection(url)
    with db.transaction() as cursor:
        cursor.execute("CREATE TABLE t (n int)")
    yield db
    db.close()


def insert(db: PostgresConnection) -> None:
    with db.transaction() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")


def read(db: PostgresConnection) -> None:
    list(db.rows("SELECT n FROM t", ()))


@pytest.mark.parametrize("use", [insert, read])
@pytest.mark.parametrize("lost", [TO_SERVER, TO_CLIENT])
def test_a_silent_server_is_disconnected_and_connected_again(
    proxy: FaultProxy, db: PostgresConnection, use: Callable[..., None], lost
) -> None:
    """With each direction lost. If the response was lost, the commit is stored."""
    proxy.black_hole(lost)
    with pytest.raises(StoreUnavailableError, match=r"no answer for 0\.5 seconds"):
        use(db)
    proxy.heal()
    stored = list(db.rows("SELECT n FROM t", ()))
    insert(db)

    assert (use, lost) == (insert, TO_CLIENT) or [] == stored
    assert [*stored, (1,)] == list(db.rows("SELECT n FROM t", ()))
    assert 2 == proxy.accepted


def test_an_open_transaction_is_dropped_by_a_silent_server(
    proxy: FaultProxy, db: PostgresConnection
) -> None:
    """Nothing of it is stored if its COMMIT did not arrive."""

    def commit_in_silence() -> None:
        with db.transaction() as cursor:
            cursor.execute("INSERT INTO t VALUES (1) RETURNING n")
            assert [(1,)] == cursor.fetchall()
            proxy.black_hole()

    with pytest.raises(StoreUnavailableError, match="no answer"):
        commit_in_silence()
    proxy.heal()

    assert [] == list(db.rows("SELECT n FROM t", ()))


def test_a_slow_answer_is_no_silence(db: PostgresConnection) -> None:
    """Silence counts from the last received bytes, and rows may arrive one by one."""
    sql = (
        "SELECT repeat('x', 20000) FROM generate_series(1, 4) AS n, "
        "LATERAL (SELECT pg_sleep(0.2 + n * 0)) AS pause"
    )

    assert [("x" * 20000,)] * 4 == list(db.rows(sql, ()))


def text_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def reader(url: URL) -> Iterator[ReadModel]:
    """The reader of the HTTP API, on a database with tables."""
    registry = Registry([PLACE_ORDER])
    Store(text_of(url), registry, 1).close()
    reader = ReadModel(text_of(url), registry)
    reader.check()
    yield reader
    reader.close()


@pytest.mark.parametrize("lost", [TO_SERVER, TO_CLIENT])
def test_readers_disconnect_from_a_silent_server(
    proxy: FaultProxy, reader: ReadModel, lost
) -> None:
    """Readers of the HTTP API. Their pool connects again."""
    silent = pytest.raises(StoreUnavailableError, match=r"no answer for 0\.5 seconds")
    with silent, reader.moment() as db:
        proxy.black_hole(lost)
        db.exec_driver_sql("SELECT 1")
    proxy.heal()

    assert not reader.order("o-1")


def test_a_query_may_have_a_longer_time_limit(reader: ReadModel, url: URL) -> None:
    """As for an audit."""
    sleep = "SELECT pg_sleep(1)"
    with reading(text_of(url), limited=False) as db:
        assert db.exec_driver_sql(sleep).all()
    with (
        pytest.raises(StoreError, match=r"no answer for 0\.5 seconds"),
        reading(text_of(url)) as db,
    ):
        db.exec_driver_sql(sleep)
