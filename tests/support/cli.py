"""Runs the command line in separate processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from order_sagas.bridges.storage.queries import reading
from tests.support.waiting import TIMEOUT, wait_until

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "order_sagas.system.cli.main")


def environment(directory: Path, **settings: object) -> dict[str, str]:
    """Return this process's environment without its ORDER_SAGAS settings, and with these.

    The default is one worker, independent of the number of cores.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ORDER_SAGAS_")}
    settings = {"workers": 1, **settings}
    named = {f"ORDER_SAGAS_{name.upper()}": str(value) for name, value in settings.items()}
    database = f"sqlite:///{directory / 'orders.db'}"
    return {**kept, "PYTHONPATH": str(ROOT), "ORDER_SAGAS_DATABASE": database, **named}


def order_sagas(
    *args: object, env: Mapping[str, str], stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, and wait for its end."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        env=dict(env), input=stdin, capture_output=True, text=True, timeout=TIMEOUT * 2,
    )  # fmt: skip


def number(sql: str, env: Mapping[str, str]) -> int:
    """Return the number that a query finds in the database of the commands.

    For waiting: a command would need a process for each check.
    """
    with reading(env["ORDER_SAGAS_DATABASE"]) as db:
        return int(db.execute(sa.text(sql)).scalar_one())


class Started:
    """Run `order-sagas start` in a separate process, stopped at the end of the context."""

    def __init__(
        self,
        directory: Path,
        env: Mapping[str, str],
        *args: object,
        wait: bool = True,
        command: Sequence[str] = (*COMMAND, "start"),
    ) -> None:
        self.output = directory / f"start-{len(list(directory.glob('start-*')))}.txt"
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [*command, *map(str, args)],
                env=dict(env), stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        if wait:
            wait_until(self.is_running, "the system to run")

    def is_running(self) -> bool:
        """Return True if this text was printed; fails the test if the process has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"it ended at once: {self.printed}")
        return "order-sagas is running" in self.printed

    @property
    def printed(self) -> str:
        """Return the output so far."""
        return self.output.read_text()

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        self.process.send_signal(with_signal)
        return self.process.wait(TIMEOUT)

    def __enter__(self) -> "Started":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
