"""One running system for each SQLite database."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from bridges.errors import StoreError
from bridges.store.location import file_of


class AlreadyRunningError(StoreError):
    """Another process runs the system on this database."""


class DatabaseLock:
    """Held for as long as the process runs the system; the kernel lets go of it for a dead one.

    A database that is no file takes any number of workers, and is not locked.
    """

    def __init__(self, database: str) -> None:
        self._path = _lock_of(database)
        self._file: int | None = None

    def __enter__(self) -> "DatabaseLock":
        """Raises AlreadyRunningError, with the process id of the one that has it."""
        if self._path is None:
            return self
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            # Not `flock`: a forked worker would hold it on for a process that is dead.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise AlreadyRunningError(
                f"a system is running on this database already (process {pid or 'unknown'}); "
                "one process runs an SQLite database"
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.close(self._file)  # the file stays: removing it would let two processes hold two


def _lock_of(database: str) -> Path | None:
    file = file_of(database)
    return file and file.with_name(f"{file.name}.lock")


def running_process(database: str) -> int | None:
    """The process that runs the system on this SQLite database; None if none does.

    Do not ask in that process: closing the file would let go of its lock.
    """
    path = _lock_of(database)
    if path is None or not path.exists():
        return None
    with path.open() as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return int(file.read().strip() or 0) or None
    return None
