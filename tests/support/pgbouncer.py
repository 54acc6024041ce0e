"""A real PgBouncer in transaction mode, in front of a PostgreSQL server of the tests."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.support.ports import free_port
from tests.support.required import skip_or_fail
from tests.support.waiting import wait_until

CONFIGURATION = """\
[databases]
* = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
{more}
"""


def why_no_pgbouncer() -> str:
    """Return what is missing on this machine; empty if nothing is."""
    return "" if shutil.which("pgbouncer") else "Not installed: pgbouncer."


def need_pgbouncer() -> None:
    """Skip the test, or fail it, if there is none."""
    if missing := why_no_pgbouncer():
        skip_or_fail("REQUIRE_PGBOUNCER", missing)


class PgBouncer:
    """A pooler whose clients share three sessions of the server, one for each transaction."""

    def __init__(self, directory: Path, server_url: str, more: str = "") -> None:
        """`more` are further lines of its configuration."""
        server = make_url(server_url)
        self.port = free_port()
        self._server = server
        home = directory / "pgbouncer"
        home.mkdir()
        host = server.query.get("host") or server.host
        configuration = home / "pgbouncer.ini"
        configuration.write_text(CONFIGURATION.format(host=host, port=self.port, more=more))
        command = ["pgbouncer", "--quiet", str(configuration)]
        if os.getuid() == 0:  # it refuses to run as root
            # As the server, which may be reached by a socket in a folder of its own.
            owner = Path(str(host)).stat().st_uid if server.query else 65534
            command[1:1] = ["--user", pwd.getpwuid(owner).pw_name]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_until(self._answers, "PgBouncer to answer")

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def url(self) -> str:
        """Return the URL of the server's database through the pooler."""
        url = self._server.set(host="127.0.0.1", port=self.port, username="postgres", query={})
        return url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            psycopg.connect(
                host="127.0.0.1", port=self.port, user="postgres", dbname=self._server.database
            ).close()
        except psycopg.OperationalError:
            if self._process.poll() is not None:
                raise
            return False
        return True
