"""The runs on this machine that share a log directory: each has a folder, and one lock in it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import attrs

from system.http_cards import place_of
from system.settings import Settings

CARD = "supervisor.json"


@attrs.frozen
class Run:
    """A supervised run: the port by which its supervisor is reached, and its first process."""

    number: int
    """From 1; the first that was free when it was started."""
    folder: Path
    port: int = 0
    pid: int = 0
    database: str = ""
    """As it may be shown to anybody."""


@contextmanager
def own_run(settings: Settings) -> Iterator[Run]:
    """A folder of our own, for as long as this process lives; waits for a dead run's workers."""
    for number in count(1):
        folder = settings.log_dir / "run" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        # Not `flock`, which forked workers would share.
        lock = os.open(lock_of(str(folder)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                # Workers that hear of the end of their run hold it, shared, for their last moment.
                fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                fcntl.lockf(lock, fcntl.LOCK_EX)
            except OSError:
                continue  # a living run's, or one that starts at the same moment
            yield Run(number, folder)
            return
        finally:
            os.close(lock)


def write_card(run: Run, settings: Settings, port: int) -> None:
    """Tell others how to reach the run."""
    card = {"port": port, "pid": os.getpid(), "database": place_of(settings.database)}
    (run.folder / CARD).write_text(json.dumps(card))


def remove_card(run: Run) -> None:
    """Be asked no more."""
    (run.folder / CARD).unlink(missing_ok=True)


def runs_of(settings: Settings) -> list[Run]:
    """The runs on this database that live. Do not ask in the first process of one."""
    found = []
    for path in sorted((settings.log_dir / "run").glob(f"*/{CARD}")):
        try:
            card = json.loads(path.read_text())
            run = Run(int(path.parent.name), path.parent, **card)
        except (OSError, ValueError, TypeError):
            continue
        if run.database == place_of(settings.database) and _lives(run):
            found.append(run)
    return found


def _lives(run: Run) -> bool:
    try:
        with lock_of(str(run.folder)).open() as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def lock_of(folder: str) -> Path:
    """The file that the first process of a run holds locked for as long as it lives."""
    return Path(folder) / "supervisor.lock"
