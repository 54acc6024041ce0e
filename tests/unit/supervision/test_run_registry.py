"""The runs that share a log directory: their folders, locks, registrations and sockets."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from order_sagas.system.settings import Settings
from order_sagas.system.supervision.control_client import ask_status
from order_sagas.system.supervision.control_socket import bind_control_socket
from order_sagas.system.supervision.run_registry import (
    LONGEST,
    REGISTRATION,
    SOCKET,
    own_run,
    remove_registration,
    runs_of,
    socket_places,
    write_registration,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A database and logs of the test's own."""
    return Settings(database=f"sqlite:///{tmp_path / 'orders.db'}", log_dir=tmp_path / "logs")


def test_runs_get_the_first_number_that_is_free(settings: Settings) -> None:
    """Each has it until it ends."""
    with own_run(settings) as first, own_run(settings) as second:
        both = first.number, second.number
    with own_run(settings) as third:
        assert (1, 2, 1) == (*both, third.number)


def test_a_number_is_taken_until_the_last_process_of_a_run_has_ended(settings: Settings) -> None:
    """A worker inherits the lock, so that a run that was killed and its successor never mix."""
    with own_run(settings) as run:
        worker = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[run.lock]
        )
    with own_run(settings) as while_it_lives:
        pass
    worker.communicate(b"\n")
    with own_run(settings) as when_it_has_ended:
        pass

    assert (2, 1) == (while_it_lives.number, when_it_has_ended.number)


def test_a_folder_open_to_others_is_made_private(settings: Settings) -> None:
    """Such as one of an earlier version."""
    (settings.log_dir / "run" / "1").mkdir(parents=True, mode=0o755)
    with own_run(settings) as run:
        assert 0o700 == stat.S_IMODE(run.folder.stat().st_mode)


def test_a_link_in_place_of_a_folder_is_skipped(settings: Settings, tmp_path: Path) -> None:
    """So that a user who may write to the log directory cannot choose where sockets are made."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)  # whatever the umask is
    (settings.log_dir / "run").mkdir(parents=True)
    (settings.log_dir / "run" / "1").symlink_to(elsewhere)
    with own_run(settings) as run:
        assert 2 == run.number
    assert [] == list(elsewhere.iterdir())
    assert 0o755 == stat.S_IMODE(elsewhere.stat().st_mode)


def test_runs_are_found_by_their_database(settings: Settings, tmp_path: Path) -> None:
    """As long as their registrations exist."""
    other = Settings(database=f"sqlite:///{tmp_path / 'other.db'}", log_dir=settings.log_dir)
    with own_run(settings) as run:
        write_registration(run, settings, run.folder / SOCKET)
        found, others = runs_of(settings), runs_of(other)
        remove_registration(run)
        left = runs_of(settings)

    assert [(1, os.getpid(), run.folder / SOCKET)] == [
        (each.number, each.pid, each.socket) for each in found
    ]
    assert [] == others
    assert [] == left


@pytest.mark.parametrize(
    "registration", ["", "[]", "{}", '{"database": 7}', '{"pid": 1, "database": "x", "socket": 2}']
)
def test_a_broken_registration_is_skipped(settings: Settings, registration: str) -> None:
    """It is being written, or was written by another version."""
    folder = settings.log_dir / "run" / "1"
    folder.mkdir(parents=True)
    (folder / REGISTRATION).write_text(registration)
    found = runs_of(settings)
    with own_run(settings) as run:
        assert 1 == run.number
    assert [] == found
    assert not (folder / REGISTRATION).exists()


def test_files_of_a_killed_run_are_ignored_and_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its registration, its socket, and the directory that was made for it."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'orders.db'}", log_dir=tmp_path / ("l" * LONGEST)
    )
    monkeypatch.setattr("tempfile.tempdir", str(runtime))
    with own_run(settings) as killed:
        listener, place = bind_control_socket(killed)
        write_registration(killed, settings, place)
        listener.close()
    left = place.is_socket()
    answers = ask_status(settings)
    with own_run(settings) as after:
        assert 1 == after.number

    assert left
    assert {} == answers
    assert not place.parent.exists()
    assert [] == list(after.folder.glob(REGISTRATION))


def test_a_socket_is_elsewhere_if_its_folder_supports_none(settings: Settings) -> None:
    """Some file systems have no sockets: here there is a directory in its place."""
    with own_run(settings) as run:
        (run.folder / SOCKET).mkdir()
        listener, place = bind_control_socket(run)
        write_registration(run, settings, place)
        with listener, socket.socket(socket.AF_UNIX) as client:
            client.connect(json.loads((run.folder / REGISTRATION).read_text())["socket"])
            modes = [stat.S_IMODE(each.stat().st_mode) for each in (place.parent, place)]
        remove_registration(run)

    assert [0o700, 0o600] == modes
    assert not place.parent.exists()


def test_no_place_is_longer_than_a_socket_takes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the environment points."""
    long = tmp_path / ("x" * LONGEST)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with own_run(settings) as run:
        places = list(socket_places(run))
    for place in places:
        if place.parent != run.folder:
            place.parent.rmdir()

    assert places
    assert all(len(str(place)) <= LONGEST for place in places)
    assert not any(place.is_relative_to(long) for place in places)
