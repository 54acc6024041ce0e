"""The doorbell of a database: who appends records rings, and who runs the system hears it at once.

Nobody polls. Each running process has a datagram socket of its own, found by the path of the
database, so that there is nothing to set. A ring that is missed strands no record: records are
read at a start and after each batch, and the socket keeps what is rung while nobody listens.
"""

import contextlib
import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bridges.store.location import file_of

LONGEST = 100
"""Characters of a socket's path that every system takes; Linux has 108, macOS 104."""

_RING, _CLOSE = b"r", b"c"


def ring(database: str) -> int:
    """Tell every process that runs this database that records wait; answers how many heard.

    0 means that no system is running. Sockets that a dead process left are removed.
    """
    heard = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in _bells(database):
            try:
                sender.sendto(_RING, str(path))
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
    """Calls `on_ring` from a thread of its own whenever the database's bell was rung.

    It hears from the moment it is made: make it before the first look for records. Many rings may
    become one call. A database without a file has no bell: its records come another way.
    """

    def __init__(self, database: str, on_ring: Callable[[], None]) -> None:
        self._on_ring = on_ring
        self._path: Path | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for directory, name in _places(database):
            path = directory / f"{name}{os.getpid()}"
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # left by a dead process that had this number
                self._socket.bind(str(path))
                path.chmod(0o666)  # whoever may write to the database may ring
                self._path = path
                break
        self._thread = threading.Thread(target=self._listen, name="doorbell", daemon=True)

    def listen(self) -> None:
        """Start calling."""
        if self._path:
            self._thread.start()

    def close(self) -> None:
        """Call no more, and take the bell away."""
        if self._path:
            if self._thread.is_alive():
                with (
                    contextlib.suppress(OSError),
                    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
                ):
                    sender.sendto(_CLOSE, str(self._path))
                    self._thread.join(timeout=5.0)
            self._path.unlink(missing_ok=True)
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                message = self._socket.recv(1)
                with contextlib.suppress(BlockingIOError):
                    while message != _CLOSE:  # a submitter rings for every thousand orders
                        message = self._socket.recv(1, socket.MSG_DONTWAIT)
            except OSError:
                return  # closed
            if message == _CLOSE:
                return
            self._on_ring()


def _bells(database: str) -> Iterator[Path]:
    for directory, name in _places(database):
        with contextlib.suppress(OSError):
            yield from [each for each in directory.iterdir() if each.name.startswith(name)]


def _places(database: str) -> Iterator[tuple[Path, str]]:
    """Directories to look in, and how a bell's name begins there; the process id ends it.

    Beside the database, where everybody who uses it can see it, a service with a private temporary
    directory too; and in the temporary directory, where that path is too long for a socket.
    """
    file = file_of(database)
    if file is None:
        return
    if len(str(file)) + len(".bell.1234567890") <= LONGEST:
        yield file.parent, f"{file.name}.bell."
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:16]
    for directory in dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"))):
        if len(str(directory)) + 50 <= LONGEST:
            yield directory, f"order-sagas-{digest}.bell."
