"""`order-sagas stop`: stop the system that runs on a database."""

import os
import signal
import socket
import time

import click

from order_sagas.bridges.storage.instance_lock import running_process
from order_sagas.bridges.storage.operator_actions import SYSTEM
from order_sagas.system.cli.action_note import note_outside
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import echo
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.supervision.control_client import ask_to_stop

STOP_WITHIN = 75.0
"""Seconds to wait for the system to stop."""


@click.command("stop")
@operator_options
@settings_options("database", "log_dir", "kafka")
def stop_command(by: str, why: str, settings: Settings) -> None:
    """Stop the system that runs on this database, as Ctrl-C would: current batches are finished.

    Exit codes: 0 it stopped, 1 none ran, or it did not stop in time.
    """
    until = time.monotonic() + STOP_WITHIN
    asked = ask_to_stop(settings)
    # A run of one process has no supervisor; the lock of its database names it.
    locked_by = running_process(settings.database)
    if locked_by and locked_by not in {run.pid for run in asked}:
        os.kill(locked_by, signal.SIGTERM)
    elif not asked:
        raise click.ClickException("no system runs on this database, as far as can be seen here")
    pids = sorted({run.pid for run in asked} | ({locked_by} if locked_by else set()))
    note_outside(
        settings.database, SYSTEM, socket.gethostname(), action="stop", by=by, why=why,
        detail=f"process {', '.join(map(str, pids))}",
    )  # fmt: skip
    for run in asked:
        if not run.wait(until - time.monotonic()):
            raise _does_not_stop(run.pid)
    while locked_by and running_process(settings.database) == locked_by:
        if time.monotonic() > until:
            raise _does_not_stop(locked_by)
        time.sleep(0.05)
    echo("Stopped.")


def _does_not_stop(pid: int) -> click.ClickException:
    return click.ClickException(
        f"process {pid} was asked to stop {STOP_WITHIN:g} s ago and still runs"
    )
