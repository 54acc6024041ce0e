"""The lock that allows one running system for each SQLite database."""

import fcntl
import os
from pathlib import Path

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.storage.database_url import file_of


class AlreadyRunningError(StoreError):
    """Another process runs a system on this database."""

    command = ("stop",)


class DatabaseLock:
    """A lock file, held while the process runs a system; the kernel releases it with the process.

    A database that is no file is not locked: PostgreSQL takes any number of workers.
    """

    def __init__(self, database: str) -> None:
        self._path = _lock_of(database)
        self._file: int | None = None

    def __enter__(self) -> "DatabaseLock":
        """Take the lock. Raises AlreadyRunningError, with the id of the process that has it."""
        if self._path is None:
            return self
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            # Not `flock`: a forked worker would keep the lock of a process that is dead.
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

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            # The file stays: if it were removed, two processes could each lock one.
            os.close(self._file)


def _lock_of(database: str) -> Path | None:
    file = file_of(database)
    return file and file.with_name(f"{file.name}.lock")


def running_process(database: str) -> int | None:
    """Return the id of the process that runs a system on this SQLite database, or None.

    Do not call it in that process: closing the file would release its lock.
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
