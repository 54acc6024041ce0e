"""Finds the lines of one order in the log files by text search, so that few lines are parsed.

The lines of child sagas belong to it, whatever their orders are.
"""

import heapq
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from order_sagas.system.logs import log_files

BLOCK = 8 * 1024 * 1024
"""Number of bytes searched at a time."""


def read_lines(log_dir: Path, order_id: str) -> list[dict[str, Any]]:
    """Return the lines about an order from all log files, in the order they were written.

    With them come the lines of the child sagas of the order's sagas, and of their children.
    Files of several workers are merged by timestamp. Files may be written and rotated meanwhile.
    Torn lines and lines that are not JSON are skipped. Returns an empty list if there are no files.
    """
    found, orders, children = [], {order_id}, [order_id]
    wanted_sagas: set[str] = set()
    for order in children:
        for line in _read(log_dir, order):
            about = line.get("order_id") == order
            if about and (order == order_id or line.get("saga_id") in wanted_sagas):
                found.append(line)
            if _is_child_of(line, order) and (child := str(line.get("order_id"))) not in orders:
                orders.add(child)
                children.append(child)
                wanted_sagas.add(str(line.get("saga_id")))
    if len(orders) > 1:
        found.sort(key=_timestamp)
    return found


def _read(log_dir: Path, order_id: str) -> Iterator[dict[str, Any]]:
    """The lines about an order, and the first line of each child saga of it."""
    with ExitStack() as opened:
        workers = [_open(paths, opened) for paths in log_files(log_dir).values()]
        streams = [_lines_of(files, order_id) for files in workers]
        yield from heapq.merge(*streams, key=_timestamp)


def _timestamp(line: dict[str, Any]) -> str:
    return str(line.get("timestamp", ""))


def _is_child_of(line: dict[str, Any], order_id: str) -> bool:
    """True if the line is the start of a saga by a saga of this order."""
    return str(line.get("parent", "")).partition("/")[2] == order_id


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


def _lines_of(files: list[BinaryIO], order_id: str) -> Iterator[dict[str, Any]]:
    wanted = msgspec.json.encode(order_id)[1:]  # a parent's saga id ends with it
    for file in files:
        while block := file.read(BLOCK):
            block += file.readline()
            for raw in _lines_with(block, wanted):
                try:
                    line = msgspec.json.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                if not isinstance(line, dict):
                    continue
                if line.get("order_id") == order_id or _is_child_of(line, order_id):
                    yield line


def _lines_with(block: bytes, wanted: bytes) -> Iterator[bytes]:
    at = block.find(wanted)
    while at >= 0:
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        yield block[start:end]
        at = block.find(wanted, end)
