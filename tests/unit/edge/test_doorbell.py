"""The doorbell: it wakes at once, and only the processes of its database."""

import os
import queue
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from order_sagas.bridges.logs import doorbell
from order_sagas.bridges.logs.doorbell import Doorbell, ring
from tests.support.logged import captured_logs
from tests.support.users import as_nobody, needs_root


@pytest.fixture(params=["short", "long"])
def database(request, tmp_path):
    """A database whose bell is beside it, or one whose path is too long for a socket."""
    directory = tmp_path if request.param == "short" else tmp_path / ("d" * 90)
    directory.mkdir(exist_ok=True)
    return f"sqlite:///{directory / 'orders.db'}"


def test_a_ring_wakes_the_process(database):
    """Without polling."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    bell = Doorbell(database, lambda: heard.put("ring"))
    bell.listen()

    assert 1 == ring(database)
    assert "ring" == heard.get(timeout=10)
    bell.close()


def test_a_ring_before_listening_is_received_later(database):
    """So that records submitted during the restore are noticed."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    bell = Doorbell(database, lambda: heard.put("ring"))
    ring(database)
    bell.listen()

    assert "ring" == heard.get(timeout=10)
    bell.close()


def test_a_ring_reaches_no_process_of_another_database(database, tmp_path):
    """So a submitter knows that no system is running."""
    bell = Doorbell(f"sqlite:///{tmp_path / 'orders.db2'}", lambda: None)
    bell.listen()

    assert 0 == ring(database)
    bell.close()
    assert 0 == ring(f"sqlite:///{tmp_path / 'orders.db2'}")


def test_the_socket_of_a_dead_process_is_removed(tmp_path):
    """It does not count as running."""
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    hang = f"from order_sagas.bridges.logs.doorbell import Doorbell; Doorbell({database!r}, print)"
    subprocess.run([sys.executable, "-c", f"{hang}; import os; os._exit(9)"], check=False)
    left = list(tmp_path.iterdir())

    assert 1 == len(left)
    assert 0 == ring(database)
    assert [] == list(tmp_path.iterdir())


def test_a_full_socket_still_counts_as_reached(tmp_path):
    """A submitter never waits for a system that is busy."""
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    bell = Doorbell(database, lambda: None)

    assert {1} == {ring(database) for _ in range(1000)}
    bell.close()


def test_a_database_on_a_server_has_no_doorbell():
    """Its records are read from Kafka."""
    bell = Doorbell("postgresql://localhost/orders", lambda: None)
    bell.listen()

    assert 0 == ring("postgresql://localhost/orders")
    bell.close()


def test_two_paths_of_one_file_share_a_doorbell(tmp_path, monkeypatch):
    """The submitter may run in another directory."""
    bell = Doorbell(f"sqlite:///{tmp_path / 'orders.db'}", lambda: None)
    monkeypatch.chdir(tmp_path)

    assert 1 == ring("sqlite:///orders.db")
    bell.close()


# --- what others can do -----------------------------------------------------------------------


@contextmanager
def listening(database, **how):
    """A doorbell with a listener, and its calls."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    bell = Doorbell(database, lambda: heard.put("look"), **how)
    bell.listen()
    try:
        yield bell, heard
    finally:
        bell.close()


def send(path: Path, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for each in datagrams:
            sender.sendto(each, str(path))


def bell_of(database: str) -> Path:
    (path,) = doorbell._sockets_of(database)
    return path


@pytest.fixture
def beside(tmp_path):
    """A database whose bell is beside it."""
    return f"sqlite:///{tmp_path / 'orders.db'}"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A database whose bell is in the temporary directory, which is the test's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        database = f"sqlite:///{tmp_path / ('d' * 90) / 'orders.db'}"
        yield database, Path(short) / f"order-sagas-{os.geteuid()}"


@pytest.mark.parametrize("datagram", [b"", b"c", b"close", bytes(range(256)), b"x" * 60_000])
def test_no_datagram_ends_the_listener(beside, datagram):
    """It checks for records, and continues."""
    with listening(beside) as (_, heard):
        send(bell_of(beside), datagram)
        first = heard.get(timeout=10)
        ring(beside)

        assert ("look", "look") == (first, heard.get(timeout=10))


def test_a_process_polls_without_a_ring(beside):
    """A ring may be lost after the commit."""
    with listening(beside, look_every=0.01) as (_, heard):
        assert ["look"] * 3 == [heard.get(timeout=10) for _ in range(3)]

    assert doorbell.LOOK_SECONDS <= 60


def test_a_socket_that_cannot_be_created_is_logged_once(beside, monkeypatch):
    """Such as for a directory with its name. The process polls then."""
    only = [place for place in doorbell._places(beside) if not place[2]]
    monkeypatch.setattr(doorbell, "_places", lambda _: iter(only))
    ((directory, name, _),) = only
    (directory / f"{name}{os.getpid()}").mkdir()
    with captured_logs() as logged, listening(beside, look_every=0.01) as (_, heard):
        assert ["look"] * 2 == [heard.get(timeout=10) for _ in range(2)]

    assert ["doorbell.not_bound"] == [line["event"] for line in logged]


def test_the_socket_is_closed_to_other_users(database):
    """Also where there is no umask."""
    before = os.umask(0)
    try:
        with listening(database):
            mode = stat.S_IMODE(bell_of(database).stat().st_mode)
    finally:
        os.umask(before)

    assert 0 == mode & 0o117


def test_the_place_of_long_paths_is_a_directory_of_the_users_own(elsewhere):
    """In a shared directory, others could guess and create its names."""
    database, directory = elsewhere
    with listening(database) as (_, heard):
        assert directory == bell_of(database).parent
        assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
        assert 1 == ring(database)
        assert "look" == heard.get(timeout=10)


def squat_with_link(directory: Path) -> None:
    target = directory.with_name("elsewhere")
    target.mkdir(mode=0o700)
    directory.symlink_to(target)


def squat_open(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)


def squat_as_nobody(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    os.chown(directory, 65534, 65534)


@pytest.mark.parametrize(
    "squat",
    [squat_with_link, squat_open, pytest.param(squat_as_nobody, marks=needs_root)],
)
def test_a_directory_that_is_not_the_users_own_is_not_used(elsewhere, squat, monkeypatch):
    """Neither to listen nor to ring; the process polls."""
    database, directory = elsewhere
    squat(directory)
    only = [place for place in doorbell._places(database) if place[0] == directory]
    monkeypatch.setattr(doorbell, "_places", lambda _: iter(only))
    with captured_logs() as logged, listening(database, look_every=0.01) as (_, heard):
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stranger.bind(str(directory / f"{only[0][1]}1"))

        assert "look" == heard.get(timeout=10)
        assert 0 == ring(database)
        stranger.close()

    assert ["doorbell.not_bound"] == [line["event"] for line in logged]


@needs_root
def test_another_user_cannot_ring():
    """In a directory that everybody may enter."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as directory,
        listening(database := f"sqlite:///{directory}/orders.db") as (_, heard),
    ):
        Path(directory).chmod(0o755)
        done = as_nobody(
            "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            f"s.sendto(b'c', {str(bell_of(database))!r})"
        )
        assert "PermissionError" in done.stderr
        ring(database)

        assert "look" == heard.get(timeout=10)
        assert heard.empty()
