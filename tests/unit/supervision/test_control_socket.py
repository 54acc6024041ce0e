"""The socket that answers `status` and `stop`, with valid and invalid clients."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from order_sagas.system.settings import Settings
from order_sagas.system.supervision.channel import encode
from order_sagas.system.supervision.control_client import ask_status, ask_to_stop
from order_sagas.system.supervision.control_socket import (
    MOST_CLIENTS,
    ControlSocket,
    bind_control_socket,
)
from order_sagas.system.supervision.messages import AskStatus, Status, WorkerStatus
from order_sagas.system.supervision.run_registry import (
    own_run,
    remove_registration,
    write_registration,
)
from tests.support.waiting import TIMEOUT

STATUS = Status([WorkerStatus(0, 7, 1, "starting")], "worker 0: it was killed (SIGKILL)")


@attrs.define
class Server:
    """A control socket of a run of its own."""

    settings: Settings
    place: Path
    stops: threading.Semaphore

    def connect(self) -> socket.socket:
        """A client that has sent nothing yet."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(self.place))
        client.settimeout(TIMEOUT)
        return client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """It answers with STATUS, and counts those that asked to stop."""
    settings = Settings(database=f"sqlite:///{tmp_path / 'orders.db'}", log_dir=tmp_path / "logs")
    stops = threading.Semaphore(0)
    with own_run(settings) as run:
        listener, place = bind_control_socket(run)
        control = ControlSocket(listener, lambda: STATUS, stops.release)
        write_registration(run, settings, place)
        yield Server(settings, place, stops)
        control.close()
        remove_registration(run)


def answers(server: Server) -> list[Status]:
    """Check that valid requests are answered."""
    return [*ask_status(server.settings).values()]


def test_a_status_is_answered(server: Server) -> None:
    """As it was given."""
    assert [STATUS] == answers(server)


def test_a_stop_is_passed_on_and_the_client_stays_until_the_process_ends(server: Server) -> None:
    """So that it sees the end."""
    (asked,) = ask_to_stop(server.settings)

    assert server.stops.acquire(timeout=TIMEOUT)
    assert os.getpid() == asked.pid
    assert not asked.wait(0.05)


def test_many_silent_clients_do_not_delay_others(server: Server) -> None:
    """The oldest ones are disconnected."""
    silent = [server.connect() for _ in range(MOST_CLIENTS * 3)]

    assert [STATUS] == answers(server)
    assert b"" == silent[0].recv(1)
    for client in silent:
        client.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\x01\xc1",
        b"\x80\x04\x95",
        b"\0\0\0\x09half",
        encode(STATUS),
    ],
    ids=["too long", "not msgpack", "a pickle", "cut off", "an answer"],
)
def test_an_invalid_request_is_disconnected_without_an_answer(server: Server, sent: bytes) -> None:
    """Valid requests are answered as before."""
    with server.connect() as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)

        assert b"" == client.recv(1)
    assert [STATUS] == answers(server)
    assert not server.stops.acquire(blocking=False)


def test_a_client_that_does_not_read_does_not_delay_others(server: Server) -> None:
    """Nor does one that has disconnected before its answer."""
    clients = [server.connect() for _ in range(5)]
    for client in clients:
        client.sendall(encode(AskStatus()))
    clients.pop().close()

    assert [STATUS] == answers(server)
    for client in clients:
        client.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_refused_even_if_modes_permit(
    server: Server,
) -> None:
    """By the credentials that the kernel knows."""
    ask = (
        "import os, socket, sys\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(sys.argv[1]); os.setuid(65534)\n"
        "client.connect('supervisor.sock')\n"
        "try:\n"
        "    client.sendall(bytes.fromhex(sys.argv[2]))\n"
        "    print(client.recv(100))\n"
        "except ConnectionError:\n"
        "    print(b'')\n"
    )
    server.place.chmod(0o666)
    server.place.parent.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", ask, str(server.place.parent), encode(AskStatus()).hex()],
        capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip

    assert "b''\n" == done.stdout
