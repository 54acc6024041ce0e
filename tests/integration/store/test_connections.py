"""Connections to PostgreSQL over a network: TLS, several hosts, and silent peers."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from order_sagas.bridges.errors import StoreError, StoreUnavailableError
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.database_url import parsed
from order_sagas.bridges.storage.postgres import PostgresConnection
from order_sagas.bridges.storage.postgres_session import parameters
from order_sagas.bridges.storage.reading import reading_engine
from tests.support.pgbouncer import PgBouncer, need_pgbouncer

TLS = """\
client_tls_sslmode = require
client_tls_cert_file = {0}/server.crt
client_tls_key_file = {0}/server.key
"""


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with the certificate and key of 127.0.0.1, and another certificate."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name in ("server", "other"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
                *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt"),
            ],
            check=True,
            capture_output=True,
        )
    (folder / "server.key").chmod(0o644)  # the pooler reads it as another user
    return folder


@pytest.fixture
def pooler(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str
) -> Iterator[PgBouncer]:
    """A pooler that listens on TCP; with TLS if the test asks for it."""
    need_pgbouncer()
    more = getattr(request, "param", "")
    if more:
        more = more.format(request.getfixturevalue("certificates"))
    made = PgBouncer(tmp_path, postgres_url, more)
    yield made
    made.close()


def with_query(url: str, **query: object) -> str:
    """The URL with more parameters."""
    more = {name: str(value) for name, value in query.items()}
    return sa.make_url(url).update_query_dict(more).render_as_string(hide_password=False)


def open_connection(url: str) -> PostgresConnection:
    """Open a connection as a worker does."""
    made = connect(url)
    assert isinstance(made, PostgresConnection)
    return made


@pytest.mark.postgres
@pytest.mark.parametrize("pooler", [TLS], indirect=True)
def test_a_server_is_verified_by_the_root_that_the_url_names(
    pooler: PgBouncer, certificates: Path
) -> None:
    """For workers and for readers; a server with another root is refused by name."""
    right = with_query(pooler.url(), sslmode="verify-full", sslrootcert=certificates / "server.crt")
    db = open_connection(right)
    assert [(1,)] == list(db.rows("SELECT 1", ()))
    db.close()
    engine = reading_engine(right)
    with engine.connect() as reader:
        assert 1 == reader.exec_driver_sql("SELECT 1").scalar_one()
    engine.dispose()

    wrong = with_query(right, sslrootcert=certificates / "other.crt")
    with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
        open_connection(wrong)
    with pytest.raises(StoreUnavailableError, match="SSL required"):
        open_connection(with_query(pooler.url(), sslmode="disable"))


@pytest.mark.postgres
def test_a_server_without_tls_is_refused_if_the_url_asks_for_it(pooler: PgBouncer) -> None:
    """Nothing is sent to the server."""
    with pytest.raises(StoreUnavailableError, match="server does not support SSL"):
        open_connection(with_query(pooler.url(), sslmode="require"))


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "idle", "untaken"), [({}, 10, 25_000), ({"keepalives_idle": 3}, 3, 25_000)]
)
def test_a_peer_that_is_gone_is_noticed(
    pooler: PgBouncer, query: dict[str, int], idle: int, untaken: int
) -> None:
    """By the kernel, after the times in the URL or the defaults."""
    db = open_connection(with_query(pooler.url(), **query))
    session = db._session
    assert session
    with socket.socket(fileno=os.dup(session.connection.pgconn.socket)) as peer:
        options = [
            peer.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        ]
    db.close()

    assert [idle, 5, 3, untaken] == options


@pytest.mark.postgres
@pytest.mark.parametrize("pooler", ["", "ignore_startup_parameters = options"], indirect=True)
def test_options_are_kept_behind_a_pooler(pooler: PgBouncer) -> None:
    """Also if it rejects or drops them; options that cannot be kept are refused."""
    options = r"-c search_path=shop --application-name=it\ is\ 100%\ o'clock"
    db = open_connection(with_query(pooler.url(), options=options))
    shown = "SELECT current_setting('search_path'), current_setting('application_name')"
    assert [("shop", "it is 100% o'clock")] == list(db.rows(shown, ()))
    with db.transaction() as cursor:
        cursor.execute(shown)
        assert [("shop", "it is 100% o'clock")] == cursor.fetchall()
    db.close()
    engine = reading_engine(with_query(pooler.url(), options=options))
    with engine.connect() as reader:
        assert ("shop", "it is 100% o'clock") == tuple(reader.exec_driver_sql(shown).one())
    engine.dispose()

    with pytest.raises(StoreError, match="'-d' in `options` of the database URL is not understood"):
        open_connection(with_query(pooler.url(), options="-d 2"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db1:5433,db2/shop?sslmode=require",
        "postgresql+psycopg://u:p@/shop?host=db1:5433&host=db2:5432&sslmode=require",
    ],
)
def test_several_hosts_are_given_in_either_form(url: str) -> None:
    """The writable one is used, unless the URL says otherwise."""
    given = parameters(parsed(url))

    assert ("db1,db2", "5433,5432", "u", "p", "shop", "require", "read-write") == tuple(
        given[name]
        for name in (
            *("host", "port", "user", "password", "dbname", "sslmode", "target_session_attrs"),
        )
    )
    assert "any" == parameters(parsed(f"{url}&target_session_attrs=any"))["target_session_attrs"]
    assert "target_session_attrs" not in parameters(parsed("postgresql://db1/shop"))
