"""Clients that are slow, send too much, or do not send HTTP."""

import json
import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from order_sagas.bridges.http.server import protocol
from tests.support.http_service import serving, tokens_file
from tests.support.waiting import TIMEOUT, wait_until


@pytest.fixture
def short_timeouts(system):
    """An API with a client timeout of 0.2 s."""
    with serving(system.settings, timeout=0.2, connections=3) as client:
        yield client


def connect(client) -> socket.socket:
    """A plain TCP connection."""
    where = urlsplit(str(client.base_url))
    return socket.create_connection((where.hostname, where.port), TIMEOUT)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    found = b""
    while block := connection.recv(65536):
        found += block
    return found


def problem(answer: bytes) -> dict[str, object]:
    """The problem details in a response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, object] = json.loads(body)
    return found


def test_a_missing_request_head_times_out(short_timeouts):
    """Told so, and let go."""
    with connect(short_timeouts) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow")

        assert 408 == problem(read_all(connection))["status"]


def test_a_slow_request_head_times_out(short_timeouts):
    """The timeout counts from its first byte."""
    with connect(short_timeouts) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nX-Slow: ")
        connection.settimeout(0.02)
        found = b""
        while not found:
            connection.sendall(b"y")
            with suppress(TimeoutError):
                found = connection.recv(65536)

    assert 408 == problem(found)["status"]


def test_an_idle_connection_is_closed(short_timeouts):
    """Without a response, because there was no request."""
    with connect(short_timeouts) as connection:
        assert b"" == read_all(connection)


def test_a_missing_request_body_times_out(short_timeouts):
    """Told so, and let go."""
    with connect(short_timeouts) as connection:
        connection.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id": '
        )

        assert 408 == problem(read_all(connection))["status"]


def test_a_too_large_request_head_is_refused(api):
    """Also one that never ends."""
    with connect(api) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)

        assert 431 == problem(read_all(connection))["status"]


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n",
        b"GET /health/live HTTP/1.0\r\nHost: localhost\r\nhost: localhost\r\n\r\n",
    ],
)
def test_invalid_http_is_refused(api, said):
    """With problem details, like other errors."""
    with connect(api) as connection:
        connection.sendall(said)

        assert 400 == problem(read_all(connection))["status"]


def test_invalid_http_is_logged_once(api, system):
    """However often it is sent."""
    for _ in range(5):
        with connect(api) as connection:
            connection.sendall(b"hello\r\n\r\n")
            read_all(connection)

    assert 1 == len([line for line in system.logged.lines if b'"http.server"' in line])


def test_a_connection_above_the_limit_is_refused(system):
    """The other connections are served as before."""
    with serving(system.settings, connections=2) as client:
        client.get("/health/live")
        with connect(client), connect(client) as one_too_many:
            one_too_many.settimeout(TIMEOUT)

            assert 503 == problem(read_all(one_too_many))["status"]
        assert 200 == client.get("/health/live").status_code


def test_a_client_that_disconnects_leaves_nothing_behind(api, system):
    """Its order is stored all the same, because the time of the disconnection is unknown."""
    with connect(api) as connection:
        body = b'{"id": "o-1"}'
        connection.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
    api.post("/api/v1/orders", json={"id": "o-2"})

    assert 200 == api.get("/health/live").status_code
    assert ["ORDER_CREATED"] == system.statuses_of("o-2")


def test_pipelined_requests_are_answered_in_order(api):
    """On one connection, one after the other."""
    with connect(api) as connection:
        ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall((ask + b"\r\n") * 3 + ask + b"Connection: close\r\n\r\n")

        assert 4 == read_all(connection).count(b'{"alive":true}')


def test_a_client_that_does_not_read_is_disconnected(api, system, monkeypatch):
    """When too much is unread; the one that has not read for the longest time is the first."""
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
def test_unusual_paths_cause_no_internal_error(api, path):
    """They are answered with 400 or 404."""
    with connect(api) as connection:
        connection.sendall(
            b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path
        )

        assert read_all(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404")


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
def test_a_request_that_a_proxy_may_parse_differently_is_refused(api, head):
    """The bytes after it are never read as a request of another client of the proxy."""
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(api) as connection:
        connection.sendall(
            b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n%s\r\n\r\n0\r\n\r\n%s" % (head, smuggled)
        )
        answer = read_all(connection)

    assert b"alive" not in answer
    assert b"HTTP/1.1 400" == answer[:12]


def test_a_request_without_one_host_says_so(api):
    """RFC 9112, section 3.2."""
    with connect(api) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n\r\n")

        assert "one Host header" in str(problem(read_all(connection))["detail"])


@pytest.mark.parametrize("host", [b"", b"Host: 127.0.0.1\r\n"])
@pytest.mark.parametrize("has_tokens", [False, True])
def test_what_comes_as_a_proxy_sends_it_by_default_needs_tokens(system, tmp_path, has_tokens, host):
    """HTTP/1.0, this machine or none as the host, and no header that tells of the client."""
    tokens = tokens_file(tmp_path) if has_tokens else None
    with serving(system.settings, tokens=tokens) as client, connect(client) as connection:
        connection.sendall(b"GET /health/live HTTP/1.0\r\n%sConnection: close\r\n\r\n" % host)
        answer = read_all(connection)

    assert (b"HTTP/1.1 200" if has_tokens else b"HTTP/1.1 403") == answer[:12]
