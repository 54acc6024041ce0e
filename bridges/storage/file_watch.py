"""Detects that the file of an SQLite database was removed or replaced while it is in use.

SQLite goes on with the file that it opened: a running system would write a file that no command can
find, while commands write another one. The path is checked on a thread, not at each commit, so it
costs nothing for each order.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from order_sagas.bridges.errors import ReplacedDatabaseError
from order_sagas.bridges.storage.database_url import file_of

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
"""Seconds between checks."""


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class DatabaseFileWatch:
    """Checks the path of an existing SQLite database every CHECK_SECONDS, within the context.

    `on_replaced` is called once, on a thread, with a ReplacedDatabaseError. At the end of the
    context the content of the former file is then saved, since only open connections reach it.
    Does nothing if the database is no file.
    """

    def __init__(self, database: str, on_replaced: Callable[[ReplacedDatabaseError], Any]) -> None:
        self._path = file_of(database)
        self._on_replaced = on_replaced
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self.error: ReplacedDatabaseError | None = None
        """What was noticed; None while the file is the one that was opened."""
        self.saved: Path | None = None
        """The file with the content of the former one; None if it was not replaced, or if the
        content could not be saved."""

    def __enter__(self) -> "DatabaseFileWatch":
        """Start the checks."""
        path = self._path
        if path is not None and path.exists():
            self._opened = identity(path)
            # Opens the file and its WAL, and keeps no transaction open.
            self._connection = sqlite3.connect(path, check_same_thread=False)
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
            self._thread = threading.Thread(target=self._check, name="database file", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the checks; save the content of a file that was removed or replaced."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._connection is not None:
            if self.error is not None:
                self._save(self._connection)
            self._connection.close()

    def _check(self) -> None:
        path = self._path
        assert path is not None
        while not self._ended.wait(CHECK_SECONDS):
            found = identity(path)
            if found != self._opened:
                what = "removed" if found is None else "replaced by another file"
                self.error = ReplacedDatabaseError(
                    f"the database file {path} was {what} while it was in use"
                )
                log.error("database.file_replaced", path=str(path), what=what)
                self._on_replaced(self.error)
                return

    def _save(self, connection: sqlite3.Connection) -> None:
        """Copy what the former file holds to a new file beside it, named by the time."""
        path = self._path
        assert path is not None
        target = path.with_name(f"{path.name}.saved-{time.strftime('%Y%m%dT%H%M%S')}")
        try:
            with closing(sqlite3.connect(target)) as copy:
                connection.backup(copy)
        except sqlite3.Error as error:
            log.error("database.file_not_saved", path=str(target), error=str(error))
        else:
            self.saved = target


def explained(watch: DatabaseFileWatch) -> ReplacedDatabaseError | None:
    """Return the detected error, with what to do, after the context; None if there is none."""
    if watch.error is None:
        return None
    if watch.saved is None:
        return ReplacedDatabaseError(
            f"{watch.error}, and what it held could not be saved; go on with a backup"
        )
    return ReplacedDatabaseError(
        f"{watch.error}; all that was committed is in {watch.saved}: move it to the path of the "
        "database, unless the new file is wanted, and start again"
    )
