"""Where lines go: a buffer in memory, written to a rotated file in one go."""

import atexit
import sys
import threading
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

BUFFERED_LINES = 10_000
"""At this many lines the buffer is written without being asked."""


class LogSink:
    """Gathers lines from any thread; `flush` writes them.

    A line is on its way to the disk after `flush` has returned, and not before: who commits a
    transaction flushes just ahead of it, and thereby has the lines of everything committed. Errors
    are written through at once, and what is left is written when the process exits.

    A disk that is full stops no order: the lines are lost, counted in `lost`, and reported on
    standard error the first time.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        self.path = path
        self.lost = 0
        """Lines that could not be written since the sink was made."""
        self._lines: list[bytes] = []
        self._file = _RotatedFile(path, max_bytes, backups)
        self._writing = threading.RLock()
        atexit.register(self.flush)

    def append(self, line: bytes) -> None:
        """Take one line, without its newline."""
        self._lines.append(line)
        if len(self._lines) >= BUFFERED_LINES:
            self.flush()

    def append_now(self, line: bytes) -> None:
        """Take one line, and write it and all before it."""
        self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Write what has gathered, in one write. Costs next to nothing when there is nothing."""
        if not self._lines:
            return
        with self._writing:
            count = len(self._lines)  # other threads may append meanwhile: theirs stay
            block = b"\n".join(self._lines[:count]) + b"\n"
            del self._lines[:count]
            try:
                self._file.write(block)
            except OSError as error:
                self.lost += count
                if self.lost == count:
                    with suppress(OSError):  # standard error may be on the same full disk
                        print(f"Log lines are being lost: {self.path}: {error}", file=sys.stderr)

    def close(self) -> None:
        """Write what is left and let go of the file. Later lines open it again."""
        self.flush()
        with self._writing:
            self._file.close()
        atexit.unregister(self.flush)


class _RotatedFile(RotatingFileHandler):
    """The standard library's rotation, under blocks of bytes instead of log records."""

    stream: Any  # of bytes, where the base class has text

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, delay=True)

    def write(self, block: bytes) -> None:
        if self.stream is None:
            self.stream = self._open()
        size = self.stream.tell()
        if size and self.backupCount and size + len(block) > self.maxBytes:
            self.doRollover()
            self.stream = self.stream or self._open()  # a delayed handler leaves that to us
        self.stream.write(block)
        self.stream.flush()

    def close(self) -> None:
        super().close()
        self._closed = False  # so that it may be opened again

    def _open(self) -> Any:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        if _ends_within_a_line(path):
            file.write(b"\n")  # a kill tore it; the next line shall not be lost with it
        return file


def _ends_within_a_line(path: Path) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"
