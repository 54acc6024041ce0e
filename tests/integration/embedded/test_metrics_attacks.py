"""The metrics of a worker, with hostile clients: threads stay few, and scrapes are answered."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

from order_sagas.system.telemetry import metrics_server
from order_sagas.system.telemetry.metrics_server import MOST, MetricsServer
from tests.support.logged import captured_logs
from tests.support.waiting import TIMEOUT, wait_until


def registry() -> CollectorRegistry:
    """A registry with one counter."""
    found = CollectorRegistry()
    Counter("orders", "Orders.", registry=found)
    return found


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    """A server without tokens, on this machine."""
    server = MetricsServer("127.0.0.1", 0, registry(), None)
    yield from serving(server)


@pytest.fixture
def guarded() -> Iterator[MetricsServer]:
    """A server with one token."""
    server = MetricsServer("127.0.0.1", 0, registry(), "os_read".__eq__)
    yield from serving(server)


def serving(server: MetricsServer) -> Iterator[MetricsServer]:
    """Serve on a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def scrape(server: MetricsServer, **headers: str) -> tuple[int, str]:
    """The status and the body of an answer."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=TIMEOUT)
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_idle_connections_take_few_threads(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many connections send one byte; a scrape is answered meanwhile."""
    monkeypatch.setattr(metrics_server._Handler, "timeout", 2 * TIMEOUT)  # only the limit cuts them
    before = threading.active_count()
    with ExitStack() as opened:
        for _ in range(3 * MOST):
            address = ("127.0.0.1", server.server_port)
            connection = opened.enter_context(socket.create_connection(address, TIMEOUT))
            connection.sendall(b"G")
        status, text = scrape(server)
        # Those that were cut may still be about to end.
        wait_until(lambda: threading.active_count() - before <= MOST + 1, "few threads to be left")

    assert (200, True) == (status, "orders_total 0.0" in text)


def test_a_request_with_another_host_name_is_refused(server: MetricsServer) -> None:
    """A browser on this machine would send one for a page whose name resolves to this address."""
    assert 403 == scrape(server, Host="shop.example")[0]
    assert 200 == scrape(server, Host=f"localhost:{server.server_port}")[0]


def test_with_tokens_a_scrape_needs_one(guarded: MetricsServer) -> None:
    """With any host name."""
    wrong = scrape(guarded, Authorization="Bearer os_wrong")[0]
    right = scrape(guarded, Authorization="Bearer os_read", Host="worker.example")[0]

    assert (401, 401, 200) == (scrape(guarded)[0], wrong, right)


def test_an_address_that_others_can_reach_is_warned_of() -> None:
    """Unless there are tokens."""
    with captured_logs() as lines:
        MetricsServer("0.0.0.0", 0, registry(), None).server_close()
        MetricsServer("0.0.0.0", 0, registry(), bool).server_close()
        MetricsServer("127.0.0.1", 0, registry(), None).server_close()

    assert ["metrics.open_to_other_machines"] == [line["event"] for line in lines]
