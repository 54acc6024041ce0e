"""The doorbell: wakes the processes that run a system on an SQLite database.

Each of these processes has a Unix datagram socket whose path is derived from the path of the
database, so that nothing has to be configured. A process that has appended records sends a byte to
each socket. A ring is only a hint, and its content is ignored. If one is lost (the sender was
killed between its commit and the ring, or the socket could not be created), the records are found
by the check that every running process makes once a minute.
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

from order_sagas.bridges.private_directory import check_private, private_directory
from order_sagas.bridges.storage.database_url import file_of

LOOK_SECONDS = 60.0
"""Seconds without a ring after which a running process checks for records."""
AT_ONCE = 1000
"""Maximum number of rings that are read before `on_ring` is called."""
LONGEST = 100
"""Maximum length of a socket's path, in characters. Linux allows 108, macOS 104."""


def ring(database: str) -> int:
    """Wake every process that runs this database; return how many were reached.

    0 means that no system is running, or only systems of users whose sockets this user may not
    write to. Sockets that were left by dead processes are removed.
    """
    reached = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for path in _sockets_of(database):
            try:
                sender.sendto(b"r", str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except BlockingIOError:
                reached += 1  # its buffer is full of rings that it has not read yet
            except OSError:
                continue  # removed meanwhile, or another user's
            else:
                reached += 1
    return reached


class Doorbell:
    """Calls `on_ring` on a thread of its own after a ring, and once a minute.

    The socket exists from the constructor on: create the doorbell before the first check for
    records, so that no ring in between is missed. Several rings may cause one call. For a database
    without a file there is no socket, and `on_ring` is never called.

    Only this user may send to the socket, unless the umask permits the group to. What is sent only
    causes a check for records.
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
        """Start the thread."""
        if self._has_file:
            self._thread.start()

    def close(self) -> None:
        """Stop the thread, waiting up to 5 seconds, and remove the socket."""
        self._end.close()  # the thread waits for this on the other socket of the pair
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
                path.unlink(missing_ok=True)  # left by a dead process with the same id
                self._socket.bind(str(path))
                # Keep what the umask permits to the owner and the group, nothing for others.
                path.chmod(path.stat().st_mode & 0o660)
            except OSError as error:
                errors.append(f"{path}: {error}")
            else:
                return path
        if errors:
            import structlog  # imported late, because submitters do not need it

            structlog.get_logger("processor").warning(
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
                    for _ in range(AT_ONCE):  # a submitter rings once for each transaction
                        self._socket.recv(1)
                self._on_ring()


def _sockets_of(database: str) -> Iterator[Path]:
    for directory, name, temporary in _places(database):
        with contextlib.suppress(OSError):
            if temporary:
                check_private(directory)
            yield from [each for each in directory.iterdir() if each.name.startswith(name)]


def _places(database: str) -> Iterator[tuple[Path, str, bool]]:
    """Directories for sockets, prefix of the socket names, and whether other users can write there.

    The process id is the end of the name. The first place is beside the database, where all users
    of it can see the socket, including a service with a private temporary directory. If that path
    is too long for a socket, a directory of this user under the temporary directory is used.
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
