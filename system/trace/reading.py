"""Finds the lines of one order in the log files by text search, so that few lines are parsed."""

import heapq
import math
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from order_sagas.system.logs import log_files

BLOCK = 8 * 1024 * 1024
"""Number of bytes searched at a time."""


class SearchTimeoutError(Exception):
    """The log files could not be searched before the deadline."""


def read_lines(log_dir: Path, order_id: str, deadline: float = math.inf) -> list[dict[str, Any]]:
    """Return the lines about an order from all log files, in the order they were written.

    Files of several workers are merged by timestamp. Files may be written and rotated meanwhile.
    Torn lines and lines that are not JSON are skipped. Returns an empty list if there are no files.

    Raises SearchTimeoutError at `deadline`, in seconds of `time.monotonic`.
    """
    with ExitStack() as opened:
        workers = [_open(paths, opened) for paths in log_files(log_dir).values()]
        streams = [_lines_of(files, order_id, deadline) for files in workers]
        return list(heapq.merge(*streams, key=lambda line: str(line.get("timestamp", ""))))


def _open(newest_first: list[Path], opened: ExitStack) -> list[BinaryIO]:
    """Return open files, oldest first. They are opened newest first, so a rotation loses none."""
    files: dict[int, BinaryIO] = {}
    for path in newest_first:
        try:
            file = opened.enter_context(path.open("rb"))
        except FileNotFoundError:
            continue  # rotated away since it was listed
        files.setdefault(os.fstat(file.fileno()).st_ino, file)
    return list(reversed(files.values()))


def _lines_of(files: list[BinaryIO], order_id: str, deadline: float) -> Iterator[dict[str, Any]]:
    wanted = msgspec.json.encode(order_id)
    for file in files:
        while block := file.read(BLOCK):
            block += file.readline()
            if time.monotonic() > deadline:
                raise SearchTimeoutError
            for raw in _lines_with(block, wanted):
                try:
                    line = msgspec.json.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                if isinstance(line, dict) and line.get("order_id") == order_id:
                    yield line


KEY = b'"order_id":'


def _lines_with(block: bytes, wanted: bytes) -> Iterator[bytes]:
    at = block.find(wanted)
    while at >= 0:
        # An order named "info" is in every line: lines of which it is no id are not decoded.
        if not block[max(0, at - len(KEY) - 1) : at].rstrip(b" ").endswith(KEY):
            at = block.find(wanted, at + len(wanted))
            continue
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        yield block[start:end]
        at = block.find(wanted, end)
