"""Access rights of the system's files: for their owner, or for a group of users too.

Files get their mode from the umask of the process, which child processes inherit, and their group
from their directory: the set-group-ID bit (`chmod g+s`) of a directory passes its group on to new
files and directories in it.
"""

import grp
import os
import stat
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import structlog

from order_sagas.bridges.storage.database_url import file_of
from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.model import Settings

_log = structlog.get_logger(__name__)


def share_directories(settings: Settings, source: str) -> None:
    """Make new files in the directories of `settings` belong to `file_group`.

    Missing directories are created for the group. An existing directory is not changed: if it is
    not shared with the group, SettingError is raised, with the commands that share it. `source` is
    the source of the setting `file_group`.
    """
    try:
        _share_directories(settings)
    except KeyError:
        problem = f"there is no group {settings.file_group}"
    except OSError as error:
        problem = f"{error.filename} cannot be shared with it: {error.strerror}"
    except ValueError as error:
        problem = str(error)
    else:
        return
    raise SettingError("file_group", source, problem)


def _share_directories(settings: Settings) -> None:
    gid = grp.getgrnam(settings.file_group).gr_gid
    for directory in _directories(settings):
        missing = [*takewhile(lambda path: not path.exists(), [directory, *directory.parents])]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            os.chown(path, -1, gid)
            path.chmod(0o2770)
        found = directory.stat()
        if found.st_gid != gid or found.st_mode & 0o2070 != 0o2070:
            raise ValueError(
                f"the directory {directory} is not shared with the group {settings.file_group}; "
                f"chgrp {settings.file_group} {directory} && chmod g+rwxs {directory}"
            )


def tighten(settings: Settings) -> list[Path]:
    """Remove access of other users that earlier versions granted. Returns the changed paths.

    Only files of this user are changed: the database's files, logs and mails, and directories with
    their default names. Call it before the database is opened or locked.
    """
    gid = grp.getgrnam(settings.file_group).gr_gid if settings.file_group else None
    changed = []
    for path in (*_files(settings), *_own_directories(settings)):
        try:
            found = path.lstat()
            allowed = 0o770 if found.st_gid == gid else 0o700
            mode = stat.S_IMODE(found.st_mode)
            is_ours = found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode)
            if is_ours and mode & 0o777 & ~allowed:
                path.chmod(mode & ~0o777 | mode & allowed)
                changed.append(path)
        except FileNotFoundError:
            continue  # moved meanwhile, such as a rotated log or a mail that was read
    return changed


def warn_of_access(settings: Settings, tightened: list[Path]) -> None:
    """Log the paths that `tighten` changed, and the directories in which other users can write."""
    if tightened:
        _log.warning("files.tightened", count=len(tightened), first=str(tightened[0]))
    for directory in open_to_others(settings):
        _log.warning("directory.writable_by_others", directory=str(directory))


def open_to_others(settings: Settings) -> list[Path]:
    """Return the system's directories in which other users can create, move and delete files."""
    shared = {os.getegid()}
    if settings.file_group:
        shared.add(grp.getgrnam(settings.file_group).gr_gid)
    found = []
    for directory in _directories(settings):
        if directory.is_dir():
            status = directory.stat()
            by_group = status.st_mode & stat.S_IWGRP and status.st_gid not in shared
            if by_group or status.st_mode & stat.S_IWOTH:
                found.append(directory)
    return found


def _directories(settings: Settings) -> list[Path]:
    database = file_of(settings.database)
    directories = [database.parent] if database else []
    directories.append(settings.log_dir.absolute())
    if settings.notification_channel == "maildir":
        directories.append(settings.maildir.absolute())
    return [*dict.fromkeys(directories)]


def _own_directories(settings: Settings) -> Iterator[Path]:
    """Yield the directories that the system created, which are those at their default places."""
    usual = Settings(database=settings.database)
    if settings.database == Settings().database:
        yield usual.log_dir.parent
    if settings.log_dir == usual.log_dir:
        yield from (usual.log_dir, usual.log_dir / "run")
    if settings.notification_channel == "maildir" and settings.maildir == usual.maildir:
        yield usual.maildir
        yield from (usual.maildir / part for part in ("tmp", "new", "cur"))


def _files(settings: Settings) -> Iterator[Path]:
    database = file_of(settings.database)
    if database:
        # The database first: SQLite creates the others with its mode.
        for suffix in ("", "-wal", "-shm", "-journal", ".lock"):
            yield database.with_name(database.name + suffix)
    yield from settings.log_dir.glob("order-sagas*.jsonl*")
    yield from (path for path in settings.log_dir.glob("run/**/*") if path.is_file())
    if settings.notification_channel == "maildir":
        for part in ("tmp", "new", "cur"):
            yield from settings.maildir.glob(f"{part}/*")
