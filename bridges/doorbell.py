"""The doorbell of a database: a process that appended records wakes those that run the system.

Each running process has a datagram socket, found by the path of the database, so that there is
nothing to set. A ring is only a hint: what it says is not looked at, and one that is lost (the
process was killed between its commit and its ring, or the socket could not be made) strands no
record, since a running process looks for records once a minute anyway.
"""

import contextlib
import hashlib
import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bridges.private_directory import check_private, private_directory
from bridges.store.location import file_of

LOOK_SECONDS = 60.0
"""After so long without a ring, a running process looks for records unasked."""
AT_ONCE = 1000
"""Rings that are taken together, at most."""
LONGEST = 100
"""Characters of a socket's path that every system takes; Linux has 108, macOS 104."""


def ring(database: str) -> int:
    """Tell every process that runs this database that records wait; answers how many heard.

    0 means that no system is running, or none of a user whose sockets this one may write to.
    Sockets that a dead process left are removed.
    """
    heard = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in _bells(database):
            try:
                sender.sendto(b"r", str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except BlockingIOError:
                heard += 1  # its buffer is full of rings that it has yet to hear
            except OSError:
                continue  # gone between two looks, or another user's
            else:
                heard += 1
    return heard


class Doorbell:
    """Calls `on_ring` from a thread of its own when the bell was rung, and once a minute.

    It hears from the moment it is made: make it before the first look for records. Many rings may
    become one call. A database without a file has no bell: its records come another way.

    The socket is the owner's alone, like every file of the process; whatever is sent to it only
    makes the process look, and nothing that is sent can end it.
    """

    def __init__(
        self, database: str, on_ring: Callable[[], None], look_every: float = LOOK_SECONDS
    ) -> None:
        """`look_every` is in seconds."""
        self._on_ring = on_ring
        self._look_every = look_every
        self._has_file = file_of(database) is not None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._ended, self._end = socket.socketpair()
        self._path = self._bind(database)
        self._thread = threading.Thread(target=self._listen, name="doorbell", daemon=True)

    def listen(self) -> None:
        """Start calling."""
        if self._has_file:
            self._thread.start()

    def close(self) -> None:
        """Call no more, and take the bell away."""
        self._end.close()  # the thread reads the end of the pair
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        if self._path:
            self._path.unlink(missing_ok=True)
        self._socket.close()
        self._ended.close()

    def _bind(self, database: str) -> Path | None:
        errors = []
        for directory, name, temporary in _places(database):
            path = directory / f"{name}{os.getpid()}"
            try:
                if temporary:
                    private_directory(directory)
                path.unlink(missing_ok=True)  # left by a dead process that had this number
                self._socket.bind(str(path))
                # As the umask has it: for the owner, and for the group if files are shared with it.
                path.chmod(path.stat().st_mode & 0o660)
            except OSError as error:
                errors.append(f"{path}: {error}")
            else:
                return path
        if errors:
            import structlog  # here, because submitters ring too, and should not wait for it

            structlog.get_logger("bridge").warning(
                "doorbell.not_bound", errors=errors, look_every=self._look_every
            )
        return None

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ended, selectors.EVENT_READ)
            if self._path:
                selector.register(self._socket, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._look_every)}
                if self._ended in ready:
                    return
                with contextlib.suppress(BlockingIOError):
                    for _ in range(AT_ONCE):  # a submitter rings for every thousand orders
                        self._socket.recv(1)
                self._on_ring()


def _bells(database: str) -> Iterator[Path]:
    for directory, name, temporary in _places(database):
        with contextlib.suppress(OSError):
            if temporary:
                check_private(directory)
            yield from [each for each in directory.iterdir() if each.name.startswith(name)]


def _places(database: str) -> Iterator[tuple[Path, str, bool]]:
    """Directories to look in, how a bell's name begins there, and whether others could squat it.

    The process id ends the name. Beside the database, where everybody who uses it can see it, a
    service with a private temporary directory too; and where that path is too long for a socket,
    in a directory of the user's own under the temporary directory.
    """
    file = file_of(database)
    if file is None:
        return
    if len(str(file)) + len(".bell.1234567890") <= LONGEST:
        yield file.parent, f"{file.name}.bell.", False
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:16]
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        directory = Path(base) / f"order-sagas-{os.geteuid()}"
        if len(str(directory)) + 40 <= LONGEST:
            yield directory, f"{digest}.bell.", True
