"""Buffers log lines in memory, and writes them to a rotated file in one write."""

import atexit
import sys
import threading
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

BUFFERED_LINES = 10_000
"""Number of buffered lines at which the buffer is flushed automatically."""


class LogSink:
    """Buffers lines from any thread; `flush` writes them.

    A line is handed to the operating system when `flush` returns, not before. A batch flushes just
    before its commit, so that the log contains the lines of everything that is committed. Lines of
    level error are written immediately, and the rest of the buffer when the process exits.

    Write errors, such as a full disk, do not stop processing: the lines are lost, counted in
    `lost`, and reported on standard error when it begins and when lines can be written again. A
    line that was written in part stays, and the next one begins on a line of its own.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        self.path = path
        self.lost = 0
        """Number of lines that could not be written."""
        self._failing = False
        self._lines: list[bytes] = []
        self._file = _RotatedFile(path, max_bytes, backups)
        self._writing = threading.RLock()
        atexit.register(self.flush)

    def append(self, line: bytes) -> None:
        """Buffer one line, given without its newline."""
        self._lines.append(line)
        if len(self._lines) >= BUFFERED_LINES:
            self.flush()

    def append_now(self, line: bytes) -> None:
        """Buffer one line, and flush the buffer."""
        self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Write the buffered lines in one write. Costs almost nothing if there are none."""
        if not self._lines:
            return
        with self._writing:
            count = len(self._lines)  # lines that other threads append meanwhile stay
            block = b"\n".join(self._lines[:count]) + b"\n"
            del self._lines[:count]
            try:
                self._file.write(block)
            except OSError as error:
                self.lost += count
                if not self._failing:
                    self._failing = True
                    _report(f"Log lines are being lost: {self.path}: {error}")
            else:
                if self._failing:
                    self._failing = False
                    _report(f"Log lines are written again, {self.lost:,} were lost: {self.path}")

    def close(self) -> None:
        """Write buffered lines and close the file. Later lines open it again."""
        self.flush()
        with self._writing:
            self._file.close()
        atexit.unregister(self.flush)


def _report(text: str) -> None:
    with suppress(OSError):  # standard error may be on the same full disk
        print(text, file=sys.stderr)


class _RotatedFile(RotatingFileHandler):
    """The standard library's log rotation, for blocks of bytes instead of log records."""

    stream: Any  # of bytes, where the base class has text

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, delay=True)

    def write(self, block: bytes) -> None:
        if self.stream is None:
            self.stream = self._open()
        size = self.stream.tell()
        if size and self.backupCount and size + len(block) > self.maxBytes:
            self.doRollover()
            self.stream = self.stream or self._open()  # doRollover does not reopen if delay=True
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[self.stream.write(rest) :]
        except OSError:
            # Open it again for the next block, which then does not follow half a line.
            stream, self.stream = self.stream, None
            stream.close()
            raise

    def close(self) -> None:
        super().close()
        self._closed = False  # so that it may be opened again

    def _open(self) -> Any:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab", buffering=0)  # so that nothing of a failed write is kept
        try:
            if _ends_within_a_line(path):
                file.write(b"\n")  # torn by a kill; keep it apart from the next line
        except OSError:
            file.close()
            raise
        return file


def _ends_within_a_line(path: Path) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"
