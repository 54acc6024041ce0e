"""Reserves log file names for independent processes that share a directory."""

import fcntl
import os
from itertools import count
from pathlib import Path


def own_slot(directory: Path) -> str:
    """Reserve the first of w1, w2, ... that no running process holds, until this process ends.

    The reservation is a file lock, which the kernel releases when the process ends, so that a
    restarted process continues the same file.
    """
    folder = directory / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        name = f"w{number}"
        file = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
        else:
            return name
    raise AssertionError("unreachable: count() is infinite")
