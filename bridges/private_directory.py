"""A directory for this user alone, in a place where everybody may make one."""

import os
import stat
from pathlib import Path


class NotPrivateError(PermissionError):
    """What has the name is no directory, is another user's, or is open to other users."""


def private_directory(path: Path) -> Path:
    """Make the directory with mode 0700, unless it is there, and check it before it is used.

    In /tmp another user may have made it first, or put a link in its place: raises NotPrivateError
    then, and OSError where it cannot be made.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        check_private(path)
    return path


def check_private(path: Path) -> None:
    """Raise NotPrivateError unless it is a directory of this user's, closed to all others.

    Raises OSError where there is nothing of that name.
    """
    found = path.lstat()  # of a link itself: it may lead to where another user wants us
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise NotPrivateError(f"{path} is not a directory that only this user may enter")
