"""Ending processes that may not be our own children."""

import time

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs: a dead child that nobody asked about yet (a zombie) does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(process: psutil.Process, timeout: float) -> bool:
    """Whether it ended within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
