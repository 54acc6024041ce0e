"""The supervised runs that share a log directory: each has a folder, a lock in it, and a card.

The folder is readable by its owner alone. The lock is held by every process of the run, so that it
is free when the last of them has ended. The card says which database the run is on, and where its
control socket is.
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

from system.http_cards import place_of
from system.settings import Settings

CARD = "supervisor.json"
LOCK = "supervisor.lock"
SOCKET = "supervisor.sock"
PRIVATE = "order-sagas-"
"""How the names of directories begin that are made for sockets elsewhere."""
LONGEST = 100
"""Bytes of the longest path of a Unix socket that is used: Linux takes 107, macOS 103."""


@attrs.frozen
class OwnRun:
    """The run of this process: its number among those of the log directory, folder and lock."""

    number: int
    """From 1; the first that was free."""
    folder: Path
    lock: int
    """A descriptor, to be inherited by every process of the run."""


@attrs.frozen
class Run:
    """A run as its card tells of it. It may have been killed: its socket then refuses."""

    number: int
    pid: int
    """Its first process."""
    socket: Path


@contextmanager
def own_run(settings: Settings) -> Iterator[OwnRun]:
    """A run of our own, for as long as this process and its children live."""
    for number in count(1):
        folder = settings.log_dir / "run" / str(number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            continue  # another user's
        folder.chmod(0o700)  # it may have been made by an earlier version
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                # Not `lockf`: this lock belongs to the open file, which the children inherit.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # taken by a run that lives, or by the last worker of one that was killed
            _clear(folder)
            yield OwnRun(number, folder, lock)
            return
        finally:
            os.close(lock)


def socket_places(run: OwnRun) -> Iterator[Path]:
    """Paths for the control socket, each in a directory that only its owner can enter.

    In the run's folder; and, where that path is too long for a socket or its file system has none,
    in directories that are made when they are asked for.
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


def write_card(run: OwnRun, settings: Settings, socket: Path) -> None:
    """Let `status` and `stop` find the run."""
    card = {"pid": os.getpid(), "database": place_of(settings.database), "socket": str(socket)}
    written = run.folder / f"{CARD}.new"
    written.write_text(json.dumps(card))
    written.replace(run.folder / CARD)


def remove_card(run: OwnRun) -> None:
    """Let nobody find the run any more, and remove what was made for its socket."""
    with suppress(OSError):  # whatever became of the folder, the run ends as it would have
        _clear(run.folder)


def runs_of(settings: Settings) -> list[Run]:
    """The runs on this database, as far as this user may look at them."""
    found = []
    for path in sorted((settings.log_dir / "run").glob(f"*/{CARD}")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            card = json.loads(path.read_text())
            if card["database"] == place_of(settings.database):
                run = Run(int(path.parent.name), int(card["pid"]), Path(card["socket"]))
                found.append(run)
    return found


def _clear(folder: Path) -> None:
    """Remove the card in a folder, and the socket that it names."""
    card = folder / CARD
    with suppress(OSError, ValueError, TypeError, KeyError):
        remove_socket(Path(json.loads(card.read_text())["socket"]))
    card.unlink(missing_ok=True)


def remove_socket(socket: Path) -> None:
    """Remove a control socket, and the directory that was made for it."""
    if socket.name != SOCKET:
        return
    socket.unlink(missing_ok=True)
    if socket.parent.name.startswith(PRIVATE):
        socket.parent.rmdir()


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST
