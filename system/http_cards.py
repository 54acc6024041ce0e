"""The processes that serve HTTP, as they are seen from others that share their log directory."""

import fcntl
import json
import os
import time
from pathlib import Path

import attrs

from bridges.store.location import file_of
from system.settings import Settings
from system.settings.kinds import database_url


@attrs.frozen
class HttpCard:
    """One process that serves HTTP."""

    pid: int
    address: str
    since: float
    """When it began, in seconds since the Unix epoch."""
    restarts: int
    """How often its supervisor has started it again; 0 for one that has none."""
    database: str
    """As it may be shown to anybody."""


def leave_card(settings: Settings, name: str, address: str, restarts: int) -> None:
    """Tell others that this process serves; `name` is its own alone.

    The kernel lets go of the lock on the card when the process ends, however it does.
    """
    folder = settings.log_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / f"{name}.json", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    fcntl.flock(file, fcntl.LOCK_EX)
    card = HttpCard(os.getpid(), address, time.time(), restarts, place_of(settings.database))
    os.truncate(file, 0)
    os.write(file, json.dumps(attrs.asdict(card)).encode())


def cards_of(settings: Settings) -> list[HttpCard]:
    """The processes that serve HTTP on this database and live, in the order of their names."""
    found = []
    for path in sorted((settings.log_dir / "run").glob("http-*.json")):
        try:
            card = HttpCard(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            continue  # it is being written
        if card.database == place_of(settings.database) and _is_held(path):
            found.append(card)
    return found


def _is_held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def place_of(database: str) -> str:
    """A file by its whole path, a server without passwords."""
    file = file_of(database)
    return str(file) if file else database_url().show(database)
