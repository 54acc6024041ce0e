"""Finds the full file systems among those that a system writes to on this machine."""

import os
from pathlib import Path

from order_sagas.bridges.storage.database_url import file_of
from order_sagas.system.settings import Settings

LEAST_FREE = 1024 * 1024
"""Bytes below which a file system counts as full: a commit of a large batch may need as many."""


def full_disks(settings: Settings) -> list[str]:
    """Return a text for the database file and the log directory, if its file system is full.

    Directories that do not exist or cannot be looked at are left out.
    """
    file = file_of(settings.database)
    places = [("database", file.parent)] if file else []
    places.append(("logs", settings.log_dir))
    found = []
    for what, directory in places:
        free = _free(directory)
        if free is not None and free < LEAST_FREE:
            found.append(
                f"the file system of the {what} ({directory}) is full: {free:,} bytes free"
            )
    return found


def _free(directory: Path) -> int | None:
    """Return the bytes that this user may still write there; None if this is unknown."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize if found.f_blocks else None
