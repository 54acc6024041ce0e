"""Clients that are slow, talk too much, or speak something else."""

import json
import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from order_sagas.bridges.http.server import protocol
from tests.support.http_service import serving, tokens_file
from tests.support.waiting import TIMEOUT, wait_until


@pytest.fixture
def impatient(system):
    """An API that gives a client a fifth of a second."""
    with serving(system.settings, timeout=0.2, connections=3) as client:
        yield client


def connect(client) -> socket.socket:
    """A connection as raw as it gets."""
    where = urlsplit(str(client.base_url))
    return socket.create_connection((where.hostname, where.port), TIMEOUT)


def heard(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    found = b""
    while block := connection.recv(65536):
        found += block
    return found


def problem(answer: bytes) -> dict[str, object]:
    """The problem in an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, object] = json.loads(body)
    return found


def test_a_head_that_does_not_come_is_not_waited_for(impatient):
    """Told so, and let go."""
    with connect(impatient) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow")

        assert 408 == problem(heard(connection))["status"]


def test_a_head_that_comes_in_drops_is_not_waited_for(impatient):
    """What counts is when it began."""
    with connect(impatient) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nX-Slow: ")
        connection.settimeout(0.02)
        found = b""
        while not found:
            connection.sendall(b"y")
            with suppress(TimeoutError):
                found = connection.recv(65536)

    assert 408 == problem(found)["status"]


def test_who_says_nothing_is_let_go(impatient):
    """Without an answer, having asked for nothing."""
    with connect(impatient) as connection:
        assert b"" == heard(connection)


def test_a_body_that_does_not_come_is_not_waited_for(impatient):
    """Told so, and let go."""
    with connect(impatient) as connection:
        connection.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id": '
        )

        assert 408 == problem(heard(connection))["status"]


def test_a_head_that_is_too_large_is_refused(api):
    """Whether or not it ever ends."""
    with connect(api) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)

        assert 431 == problem(heard(connection))["status"]


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(api, said):
    """With a problem, like everything else."""
    with connect(api) as connection:
        connection.sendall(said)

        assert 400 == problem(heard(connection))["status"]


def test_what_is_no_http_is_logged_once(api, system):
    """However often somebody sends it."""
    for _ in range(5):
        with connect(api) as connection:
            connection.sendall(b"hello\r\n\r\n")
            heard(connection)

    assert 1 == len([line for line in system.logged.lines if b'"http.server"' in line])


def test_a_connection_too_many_is_refused(system):
    """And the others are served as before."""
    with serving(system.settings, connections=2) as client:
        client.get("/health/live")
        with connect(client), connect(client) as one_too_many:
            one_too_many.settimeout(TIMEOUT)

            assert 503 == problem(heard(one_too_many))["status"]
        assert 200 == client.get("/health/live").status_code


def test_who_goes_away_leaves_nothing_behind(api, system):
    """Its order is taken all the same: nobody can tell when it was that it went."""
    with connect(api) as connection:
        body = b'{"id": "o-1"}'
        connection.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
    api.post("/api/v1/orders", json={"id": "o-2"})

    assert 200 == api.get("/health/live").status_code
    assert ["ORDER_CREATED"] == system.told("o-2")


def test_requests_may_come_before_the_answers(api):
    """One after the other on one connection, answered in their order."""
    with connect(api) as connection:
        ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall((ask + b"\r\n") * 3 + ask + b"Connection: close\r\n\r\n")

        assert 4 == heard(connection).count(b'{"alive":true}')


def test_who_reads_nothing_is_let_go_when_too_much_is_unread(api, system, monkeypatch):
    """Whoever has not read for the longest is the first."""
    monkeypatch.setattr(protocol, "MOST_UNREAD", 1_000_000)
    system.start()
    system.put_raw("order-events", b"x" * 1_000_000)
    [letter] = api.get("/api/v1/dead-letters").json()["deadLetters"]
    path = b"/api/v1/dead-letters/%d" % letter["number"]
    with ExitStack() as opened:
        clients = [opened.enter_context(connect(api)) for _ in range(4)]
        for client in clients:
            client.sendall((b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path) * 8)

        def ends(client: socket.socket) -> bool:
            with suppress(ConnectionError):
                return not client.recv(65536)
            return True

        wait_until(lambda: ends(clients[0]), "the first to be let go")

        assert 200 == api.get("/health/live").status_code


@pytest.mark.parametrize(
    "path",
    [b"/\xff", b"http://[::1", b"http://localhost", b"*", b"//x/api/v1/stock", b"/page/../../x"],
)
def test_strange_paths_are_no_fault_of_ours(api, path):
    """Answered as wrong, or as what is not there."""
    with connect(api) as connection:
        connection.sendall(
            b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path
        )

        assert heard(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: +4",
        b"Content-Length: 4, 4",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b" Content-Length: 4",
        b"X: y\nContent-Length: 4",
    ],
)
def test_a_request_that_a_proxy_may_read_otherwise_is_refused(api, head):
    """What comes after it is never taken for a request: that of another client of the proxy."""
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(api) as connection:
        connection.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n%s\r\n\r\n0\r\n\r\n%s" % (head, smuggled)
        )
        answer = heard(connection)

    assert b"alive" not in answer
    assert b"HTTP/1.1 400" == answer[:12]


@pytest.mark.parametrize("has_tokens", [False, True])
def test_what_comes_as_a_proxy_sends_it_by_default_needs_tokens(system, tmp_path, has_tokens):
    """HTTP/1.0, this machine as the host, and no header that tells of the client: as nginx does."""
    tokens = tokens_file(tmp_path) if has_tokens else None
    with serving(system.settings, tokens=tokens) as client, connect(client) as connection:
        connection.sendall(
            b"GET /health/live HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        answer = heard(connection)

    assert (b"HTTP/1.1 200" if has_tokens else b"HTTP/1.1 403") == answer[:12]
