"""Directories that only this user may enter, in places where all users may create directories."""

import os
import stat
from pathlib import Path


class NotPrivateError(PermissionError):
    """The path is not a directory, belongs to another user, or is open to other users."""


def private_directory(path: Path) -> Path:
    """Create the directory with mode 0700, or check the one that exists; return its path.

    In a directory like /tmp another user may have created it, or put a link in its place. Raises
    NotPrivateError in that case, and OSError if it cannot be created.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        check_private(path)
    return path


def check_private(path: Path) -> None:
    """Raise NotPrivateError unless the path is a directory of this user, closed to all others.

    Raises OSError if the path does not exist.
    """
    found = path.lstat()  # does not follow a link, which another user may have put there
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise NotPrivateError(f"{path} is not a directory that only this user may enter")
