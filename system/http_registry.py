"""Registry of the HTTP processes, in the log directory that they share."""

import fcntl
import json
import os
import time
from pathlib import Path

import attrs

from order_sagas.bridges.storage.database_url import file_of
from order_sagas.system.settings import Settings
from order_sagas.system.settings.location_types import database_url


@attrs.frozen
class HttpRegistration:
    """The registry entry of one HTTP process."""

    pid: int
    address: str
    since: float
    """Start time in seconds since the Unix epoch."""
    restarts: int
    """Number of restarts by the supervisor; 0 without a supervisor."""
    database: str
    """Absolute path, or URL without passwords."""


def register_http(settings: Settings, name: str, address: str, restarts: int) -> None:
    """Register this process under a `name` that no other uses.

    The entry is valid while its file is locked; the kernel releases the lock when the process ends.
    """
    folder = settings.log_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / f"{name}.json", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    fcntl.flock(file, fcntl.LOCK_EX)
    registration = HttpRegistration(
        os.getpid(), address, time.time(), restarts, place_of(settings.database)
    )
    os.truncate(file, 0)
    os.write(file, json.dumps(attrs.asdict(registration)).encode())


def http_registrations(settings: Settings) -> list[HttpRegistration]:
    """Return the entries of running HTTP processes of this database, ordered by name."""
    found = []
    for path in sorted((settings.log_dir / "run").glob("http-*.json")):
        try:
            registration = HttpRegistration(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            continue  # incomplete: it is being written
        if registration.database == place_of(settings.database) and _is_held(path):
            found.append(registration)
    return found


def _is_held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def place_of(database: str) -> str:
    """Return the absolute path of an SQLite file, or the URL of a server without passwords."""
    file = file_of(database)
    return str(file) if file else database_url().show(database)
