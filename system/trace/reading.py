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
from order_sagas.system.trace.families import concerns, timestamp_of, with_children

BLOCK = 8 * 1024 * 1024
"""Number of bytes searched at a time."""


class SearchTimeoutError(Exception):
    """The log files could not be searched before the deadline."""


def read_lines(log_dir: Path, order_id: str, deadline: float = math.inf) -> list[dict[str, Any]]:
    """Return the lines about an order from all log files, in the order they were written.

    With them come the lines of the child sagas of the order's sagas, and of their children.
    Files of several workers are merged by timestamp. Files may be written and rotated meanwhile.
    Torn lines and lines that are not JSON are skipped. Returns an empty list if there are no files.

    Raises SearchTimeoutError at `deadline`, in seconds of `time.monotonic`.
    """
    return with_children(order_id, lambda each: _read(log_dir, each, deadline))


def _read(log_dir: Path, order_id: str, deadline: float) -> Iterator[dict[str, Any]]:
    """The lines that concern an order."""
    with ExitStack() as opened:
        workers = [_open(paths, opened) for paths in log_files(log_dir).values()]
        streams = [_lines_of(files, order_id, deadline) for files in workers]
        yield from heapq.merge(*streams, key=timestamp_of)


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
    wanted = msgspec.json.encode(order_id)[1:]  # a parent's saga id ends with it
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
                if isinstance(line, dict) and concerns(line, order_id):
                    yield line


KEYS = (b'"order_id":', b'"parent":')
LONGEST_NAME = 1000
"""Bytes that are searched for the beginning of a parent's saga id."""


def _lines_with(block: bytes, wanted: bytes) -> Iterator[bytes]:
    at = block.find(wanted)
    while at >= 0:
        # An order named "info" is in every line: lines of which it is no id are not decoded.
        if not _is_id(block, at):
            at = block.find(wanted, at + len(wanted))
            continue
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        yield block[start:end]
        at = block.find(wanted, end)


def _is_id(block: bytes, at: int) -> bool:
    """True if `at` is where an order id begins, or the order id within a parent's saga id."""
    quote = block.rfind(b'"', max(0, at - LONGEST_NAME), at)
    if quote != at - 1 and block[at - 1 : at] != b"/":
        return False
    return block[max(0, quote - 12) : max(0, quote)].rstrip(b" ").endswith(KEYS)
