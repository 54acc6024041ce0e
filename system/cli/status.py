"""`order-sagas status` and `order-sagas stop`: ask a running system, or end it, from outside."""

import os
import signal
import time
from collections.abc import Mapping

import attrs
import click
from rich.live import Live
from rich.table import Table

from bridges.store import queries
from bridges.store.lock import running_process
from system.cli.pause import in_words, paused
from system.cli.support import console, plain_table, print_json
from system.settings import Settings, settings_options
from system.supervision import ask_status
from system.supervision.messages import Status
from system.supervision.runs import Run, runs_of

STOP_WITHIN = 75.0


@click.command("status")
@settings_options("database", "log_dir", "kafka")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Print it again every second until Ctrl-C.")
def status_command(settings: Settings, as_json: bool, watch: bool) -> None:
    """Say how a running system is doing: its workers, shards, sagas in flight, rates, last error.

    Exit codes: 0 it runs, 1 nothing runs.
    """
    if not watch:
        _print(settings, as_json)
        return
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            live.update(_table(settings, ask_status(settings)), refresh=True)
            time.sleep(1.0)


@click.command("stop")
@settings_options("database", "log_dir", "kafka")
def stop_command(settings: Settings) -> None:
    """Stop the system that runs on this database, as Ctrl-C would: batches in hand are finished.

    Exit codes: 0 it stopped, 1 nothing ran, or it did not stop in time.
    """
    asked = _running(settings)
    if not asked:
        raise click.ClickException("no system runs on this database, as far as can be seen here")
    for pid in asked:
        os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_WITHIN
    while asked & _running(settings):
        if time.monotonic() > until:
            raise click.ClickException(
                f"process {min(asked)} was asked to stop {STOP_WITHIN:g} s ago and still runs"
            )
        time.sleep(0.05)
    click.echo("Stopped.")


def _running(settings: Settings) -> set[int]:
    """The first processes of all runs on this database that share our log directory."""
    pid = running_process(settings.database)
    return {run.pid for run in runs_of(settings)} | ({pid} if pid else set())


def _print(settings: Settings, as_json: bool) -> None:
    pid, status = running_process(settings.database), ask_status(settings)
    if as_json:
        workers = [worker for each in status.values() for worker in attrs.asdict(each)["workers"]]
        error = _last_error(status)
        print_json({"pid": pid, "workers": workers, "last_error": error, **_waiting(settings),
                    "paused": paused(settings)})  # fmt: skip
    else:
        console().print(_table(settings, status))
    if pid is None and not status:
        click.echo("No system runs on this database. Start one: order-sagas start", err=True)
        click.get_current_context().exit(1)


def _waiting(settings: Settings) -> dict[str, int]:
    with queries.reading(settings.database) as db:
        return {
            "sagas_in_flight": queries.in_flight(db),
            "records_waiting": sum(queries.waiting(db).values()),
        }


def _last_error(status: Mapping[Run, Status]) -> str:
    return next((each.last_error for each in status.values() if each.last_error), "")


def _table(settings: Settings, status: Mapping[Run, Status]) -> Table:
    columns = ("worker", "process", "shards", "in flight", "ended", "1/s", "restarts", "last error")
    table = plain_table(*columns, numbers=("in flight", "ended", "1/s", "restarts"))
    for worker in [worker for each in status.values() for worker in each.workers]:
        report = worker.report
        if report is None:
            table.add_row(str(worker.number), "starting", *[""] * 4, str(worker.restarts), "")
            continue
        rate = report.ended / report.seconds if report.seconds else 0.0
        table.add_row(
            str(worker.number),
            str(worker.pid),
            ", ".join(map(str, report.shards)),
            f"{report.in_flight:,}",
            f"{report.ended:,}",
            f"{rate:,.0f}",
            str(worker.restarts),
            report.last_error,
        )
    waiting = _waiting(settings)
    table.caption = (
        f"{waiting['sagas_in_flight']:,} saga(s) in flight, "
        f"{waiting['records_waiting']:,} record(s) waiting"
        + "".join(f"; {in_words(each)}" for each in paused(settings))
        + (f"; last: {_last_error(status)}" if _last_error(status) else "")
    )
    return table
