"""Checks for processes that need not be children of this one."""

import time

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency


def is_alive(process: psutil.Process) -> bool:
    """Return True if it runs; a zombie (dead, and not waited for) does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(process: psutil.Process, timeout: float) -> bool:
    """Wait for its end; return False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
