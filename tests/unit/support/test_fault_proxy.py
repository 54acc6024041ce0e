"""The fault proxy applies its faults to connections."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from tests.support.fault_proxy import TO_CLIENT, TO_SERVER, FaultProxy, fault_proxies

PATIENCE = 30.0
"""Seconds; reached only by a failing test."""
SILENCE = 0.2
"""Seconds for which nothing arrives from a connection that is dead."""


class Echo(socketserver.StreamRequestHandler):
    """Answers each line with itself, and records it."""

    def handle(self) -> None:
        assert isinstance(self.server, EchoServer)
        for line in self.rfile:
            self.server.lines.put(line)
            self.wfile.write(line)


class EchoServer(socketserver.ThreadingTCPServer):
    """Records the lines of all connections."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.lines: SimpleQueue[bytes] = SimpleQueue()


@pytest.fixture
def server() -> Iterator[EchoServer]:
    """A running server."""
    with EchoServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(server: EchoServer) -> Iterator[FaultProxy]:
    """A proxy to it, without faults."""
    with fault_proxies() as make:
        yield make(server.server_address[1])


def client_of(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)


def ask(client: socket.socket, line: bytes) -> bytes:
    client.sendall(line)
    return client.recv(100)


def is_silent(client: socket.socket) -> bool:
    """Whether nothing arrives for a while, neither bytes nor the end."""
    client.settimeout(SILENCE)
    try:
        client.recv(100)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE)
    return False


def is_refused(proxy: FaultProxy) -> bool:
    """Whether a new connection is reset or closed, at once or with its first bytes."""
    try:
        with client_of(proxy) as client:
            return b"" == ask(client, b"?\n")
    except ConnectionError:
        return True


def test_bytes_pass_in_both_directions(proxy: FaultProxy) -> None:
    """More than a piece at a time, slowly as well as fast."""
    for latency in (0.0, 0.001):
        proxy.slow(latency, jitter=latency, bandwidth=latency * 1e12)
        with client_of(proxy) as client:
            text = b"x" * 300_000 + b"\n"
            sender = threading.Thread(target=client.sendall, args=(text,))
            sender.start()
            with client.makefile("rb") as answer:
                assert text == answer.readline()
            sender.join()

    assert 2 == proxy.accepted


def test_reset_ends_connections_and_serves_new_ones(proxy: FaultProxy) -> None:
    with client_of(proxy) as client:
        assert b"a\n" == ask(client, b"a\n")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    with client_of(proxy) as client:
        assert b"b\n" == ask(client, b"b\n")


def test_cut_resets_new_connections_until_it_heals(proxy: FaultProxy) -> None:
    proxy.cut()
    assert is_refused(proxy)
    proxy.heal()
    with client_of(proxy) as client:
        assert b"b\n" == ask(client, b"b\n")


def test_a_black_hole_drops_bytes_and_closes_nothing(proxy: FaultProxy, server: EchoServer) -> None:
    """A connection that lost bytes is dead for good; one that lost none goes on."""
    with client_of(proxy) as dead, client_of(proxy) as quiet:
        assert b"a\n" == ask(dead, b"a\n")
        assert b"b\n" == ask(quiet, b"b\n")
        proxy.black_hole()
        dead.sendall(b"lost\n")
        assert is_silent(dead)
        with client_of(proxy) as late:
            late.sendall(b"lost too\n")
            assert is_silent(late)
        proxy.heal()
        dead.sendall(b"lost as well\n")
        assert is_silent(dead)
        assert b"c\n" == ask(quiet, b"c\n")
    assert [b"a\n", b"b\n", b"c\n"] == [server.lines.get(timeout=PATIENCE) for _ in range(3)]
    assert server.lines.empty()


def test_one_direction_alone_can_be_dropped(proxy: FaultProxy, server: EchoServer) -> None:
    """The server gets the request, and the client no answer; or the other way round."""
    with client_of(proxy) as client:
        proxy.black_hole(TO_CLIENT)
        client.sendall(b"heard\n")
        assert b"heard\n" == server.lines.get(timeout=PATIENCE)
        assert is_silent(client)
    with client_of(proxy) as client:
        proxy.black_hole(TO_SERVER)
        client.sendall(b"unheard\n")
        assert is_silent(client)
    assert server.lines.empty()


def test_held_bytes_arrive_after_heal(proxy: FaultProxy, server: EchoServer) -> None:
    with client_of(proxy) as client:
        proxy.hold()
        client.sendall(b"late\n")
        assert is_silent(client)
        assert server.lines.empty()
        proxy.heal()
        assert b"late\n" == client.recv(100)


def test_clients_of_a_stopped_server_are_reset(proxy: FaultProxy, server: EchoServer) -> None:
    server.shutdown()
    server.server_close()
    assert is_refused(proxy)
