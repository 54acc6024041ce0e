"""The supervised runs that share a log directory: each has a folder with a lock and a registration.

Only the owner can read the folder. Every process of the run holds the lock, so that it is free when
the last of them has ended. The registration is a JSON file with the process id, the database and
the path of the control socket.
"""

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import attrs

from order_sagas.system.http_registry import place_of
from order_sagas.system.settings import Settings

REGISTRATION = "supervisor.json"
LOCK = "supervisor.lock"
SOCKET = "supervisor.sock"
PRIVATE = "order-sagas-"
"""Prefix of the names of directories for sockets outside of the log directory."""
LONGEST = 100
"""Maximum length of the path of a Unix socket, in bytes; Linux allows 107, macOS 103."""


@attrs.frozen
class OwnRun:
    """The run of this process: its number in the log directory, its folder and its lock."""

    number: int
    """The lowest free number, from 1."""
    folder: Path
    lock: int
    """The descriptor of the lock, which every process of the run inherits."""


@attrs.frozen
class Run:
    """A run, as read from its registration. After a kill this remains, and its socket refuses."""

    number: int
    pid: int
    """Process id of its first process."""
    socket: Path


@contextmanager
def own_run(settings: Settings) -> Iterator[OwnRun]:
    """Register a run for the time of the context; children that live longer keep its lock."""
    for number in count(1):
        folder = settings.log_dir / "run" / str(number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            continue  # belongs to another user
        folder.chmod(0o700)  # earlier versions created it with another mode
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                # Not `lockf`: a `flock` belongs to the open file, which the children inherit.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # held by a live run, or by a worker left over from a killed one
            _clear(folder)
            yield OwnRun(number, folder, lock)
            return
        finally:
            os.close(lock)


def socket_places(run: OwnRun) -> Iterator[Path]:
    """Yield paths for the control socket, each in a directory that only the owner can enter.

    First in the run's folder; then, in case that path is too long or the file system does not
    support sockets, in new private directories, created when the iterator reaches them.
    """
    place = run.folder.absolute() / SOCKET
    if _fits(place):
        yield place
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if parent and os.path.isdir(parent) and _fits(Path(parent) / f"{PRIVATE}12345678" / SOCKET):
            try:
                made = tempfile.mkdtemp(prefix=PRIVATE, dir=parent)
            except OSError:
                continue
            yield Path(made) / SOCKET


def write_registration(run: OwnRun, settings: Settings, socket: Path) -> None:
    """Write the registration, so that `status` and `stop` find the run."""
    registration = {
        "pid": os.getpid(),
        "database": place_of(settings.database),
        "socket": str(socket),
    }
    written = run.folder / f"{REGISTRATION}.new"
    written.write_text(json.dumps(registration))
    written.replace(run.folder / REGISTRATION)


def remove_registration(run: OwnRun) -> None:
    """Remove the registration, the socket and the directory that was created for it."""
    with suppress(OSError):  # a missing folder does not matter at the end of the run
        _clear(run.folder)


def runs_of(settings: Settings) -> list[Run]:
    """Return the runs on this database whose registrations this user can read."""
    found = []
    for path in sorted((settings.log_dir / "run").glob(f"*/{REGISTRATION}")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            registration = json.loads(path.read_text())
            if registration["database"] == place_of(settings.database):
                run = Run(
                    int(path.parent.name), int(registration["pid"]), Path(registration["socket"])
                )
                found.append(run)
    return found


def _clear(folder: Path) -> None:
    """Remove the registration of a folder, and the socket named in it."""
    registration = folder / REGISTRATION
    with suppress(OSError, ValueError, TypeError, KeyError):
        remove_socket(Path(json.loads(registration.read_text())["socket"]))
    registration.unlink(missing_ok=True)


def remove_socket(socket: Path) -> None:
    """Remove a control socket, and the directory that was created for it, if any."""
    if socket.name != SOCKET:
        return
    socket.unlink(missing_ok=True)
    if socket.parent.name.startswith(PRIVATE):
        socket.parent.rmdir()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST
