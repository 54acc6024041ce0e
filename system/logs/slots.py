"""Names for the log files of processes that share a directory and know nothing of each other."""

import fcntl
import os
from itertools import count
from pathlib import Path


def own_slot(directory: Path) -> str:
    """The first of w1, w2, ... that no running process has; ours until this process ends.

    The kernel lets go of a dead process's name, so that its successor goes on with its file.
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
    raise AssertionError("there are numbers enough")
