"""Attacks of a client without a token: memory stays bounded, and other clients are served.

Each attack has a bounded number of bytes or connections, on loopback. Memory is the growth of the
resident set of the process; before there were limits, each attack took hundreds of megabytes, or
all connections.
"""

import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from select import select
from uuid import uuid4

import httpx
import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from benchmarks.desk import PARTITIONS, fill
from tests.support.cli import environment
from tests.support.http_service import HttpProcess
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.processes

MOST_GROWTH = 48 * 1024 * 1024
"""Bytes by which the process may grow during one attack of 20 MB."""
ATTACK = 20 * 1024 * 1024
"""Bytes that an attack sends if it is not stopped."""
CONNECTIONS = 40
ORDERS = 20_000
"""Orders that are stored, so that searches and exports have something to read and to send."""

HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[HttpProcess]:
    """A separate process with a history, low limits of connections and short timeouts."""
    tmp_path = tmp_path_factory.mktemp("attacked")
    fill(tmp_path / "orders.db", ORDERS)
    env = environment(
        tmp_path,
        partitions=PARTITIONS,
        log_dir=tmp_path / "logs",
        http_connections=CONNECTIONS,
        http_connections_of_address=CONNECTIONS // 2,
        http_timeout="1s",
    )
    with HttpProcess(tmp_path, env) as server:
        yield server


def connect(server: HttpProcess, source: str = "127.0.0.1") -> socket.socket:
    """A connection from one of the addresses of this machine."""
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT, (source, 0))


def memory(server: HttpProcess) -> int:
    """The resident set in bytes."""
    return int(psutil.Process(server.process.pid).memory_info().rss)


def is_alive(server: HttpProcess) -> bool:
    """Whether a new client from another address is served."""
    transport = httpx.HTTPTransport(local_address="127.0.0.3")
    with httpx.Client(transport=transport, timeout=TIMEOUT) as client:
        return client.get(f"{server.url}/health/live").status_code == 200


def flood(server: HttpProcess, begin: bytes, again: bytes) -> int:
    """Send `begin` and then `again` and again; return how many bytes were sent before the end.

    Meanwhile, check that the server answers.
    """
    sent = 0
    with connect(server) as connection, suppress(ConnectionError):
        connection.sendall(begin)
        block = again * (64 * 1024 // len(again))
        while sent < ATTACK:
            connection.sendall(block)
            sent += len(block)
            if sent % (len(block) * 32) == 0:
                assert is_alive(server)
    return sent


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\na: ", b"b"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=", b"b"),
        (HEAD, b"a: b\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (HEAD + b"Content-Length: 1000000000\r\n\r\n", b"x"),
        (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"\x81\x85abcdxxxxx"),
        (HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", b"\0"),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"x"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0"),
    ],
    ids=[
        "trailers", "one long trailer", "a chunk extension", "a head", "tiny chunks",
        "a body after the response", "a WebSocket", "HTTP/2 by upgrade", "a tunnel", "HTTP/2",
    ],
)  # fmt: skip
def test_an_endless_request_is_cut_off(server, begin, again):
    """In every part of a request that the parser buffers."""
    before = memory(server)
    sent = flood(server, begin, again)

    assert sent < ATTACK
    assert memory(server) - before < MOST_GROWTH
    assert is_alive(server)


def test_too_many_pipelined_requests_are_cut_off(server):
    """A client that sends more requests than it reads responses is disconnected."""
    before = memory(server)
    sent = [flood(server, b"", HEAD + b"\r\n") for _ in range(3)]

    assert max(sent) < ATTACK
    assert memory(server) - before < MOST_GROWTH
    assert is_alive(server)


def test_bodies_that_never_end_keep_no_connection(server):
    """Each request is answered at once, continues to send single bytes, and is disconnected."""
    ask = HEAD + b"Content-Length: 100000000\r\n\r\n"
    with ExitStack() as opened:
        strangers = [
            opened.enter_context(connect(server, f"127.0.0.{5 + number % 2}"))
            for number in range(CONNECTIONS - 10)
        ]
        for each in strangers:
            each.sendall(ask)
            each.settimeout(0.01)

        def close_some() -> bool:
            for each in [*strangers]:
                try:
                    each.sendall(b"x")
                    if each.recv(65536):
                        continue
                except TimeoutError:
                    continue
                except ConnectionError:
                    pass
                strangers.remove(each)
            return not strangers

        wait_until(close_some, "all connections to be closed")

    assert is_alive(server)


def test_one_address_cannot_take_all_connections(server):
    """The others remain for other addresses."""
    with ExitStack() as opened:
        for _ in range(CONNECTIONS + 10):
            opened.enter_context(connect(server, "127.0.0.7"))

        assert is_alive(server)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(body: bytes, *headers: str) -> bytes:
    lines = ("POST /api/v1/orders HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", *headers, "", ""])
    return head.encode() + body


def many_fields(more: str = "") -> bytes:
    return post(b'{"a":1' + b"".join(b',"n%d":1' % n for n in range(20_000)) + more.encode() + b"}")


ASKED = {
    "bodies that are too large": [post(b"x" * 1_000_000)],
    "deep JSON": [post(b"[" * 200_000)],
    "many fields": [many_fields()],
    "many fields and one of them twice": [many_fields(',"n19999":1')],
    "compressed bombs": [post(gzip.compress(b"0" * 10_000_000), "Content-Encoding: gzip")],
    "idempotency keys": [
        post(b'{"customerId": "c"}', f"Idempotency-Key: {uuid4()}") for _ in range(50)
    ],
    "long query strings": [get("/api/v1/orders?" + "a=b&" * 7000)],
    "waits": [get("/api/v1/orders/none?wait=60")],
    "event streams": [get("/api/v1/events")],
    "exports": [get("/api/v1/exports/orders")],
    "exports of sagas": [get("/api/v1/exports/sagas?format=jsonl")],
    "exports of the log": [get("/api/v1/exports/operator-actions")],
    "exports that find nothing": [get("/api/v1/exports/orders?currency=NONE")],
    "searches": [get("/api/v1/sagas?reason=none&startedTo=2020-01-01")],
    "searches that find nothing": [
        get(f"/api/v1/{search}")
        for search in (
            "orders?currency=NONE",
            "orders?sku=SKU-7&reason=x",
            "sagas?step=none",
            "orders?prefix=o-1",
        )
        for _ in range(3)
    ],
    "long pages": [get("/api/v1/orders?limit=500"), get("/api/v1/sagas?limit=500")] * 4,
    "what is summed up": [
        get(f"/api/v1/{path}")
        for path in (
            "sagas/groups",
            "sagas/retrying",
            "dead-letters/groups",
            "stock",
            "history?hours=24",
        )
    ]
    * 2,
    "responses that are not read": [get("/openapi.json")] * 8,
}


@pytest.mark.parametrize("name", ASKED)
def test_many_large_responses_at_once_stay_within_memory(server, name):
    """No client reads its response. Others are served meanwhile and afterwards."""
    before = memory(server)
    with ExitStack() as opened:
        strangers = [
            opened.enter_context(connect(server, "127.0.0.8")) for _ in range(CONNECTIONS // 2)
        ]
        for request in ASKED[name]:
            for each in strangers:
                with suppress(ConnectionError):
                    each.sendall(request)
        assert is_alive(server)
        if name != "waits":
            wait_until(lambda: len(select(strangers, [], [], 0)[0]) == len(strangers), "answers")
        growth = memory(server) - before
        assert is_alive(server)

    assert growth < MOST_GROWTH
    assert is_alive(server)
