"""`order-sagas start`: run the system until a signal or `order-sagas stop`."""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import click
import msgspec
from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import status
from order_sagas.actors.words import many
from order_sagas.bridges.extras import need
from order_sagas.bridges.logs.doorbell import Doorbell
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.bridges.records.routing import ORCHESTRATOR
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.clock_check import warn_of_clock
from order_sagas.bridges.storage.file_watch import DatabaseFileWatch, explained
from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.bridges.storage.saga_versions import check_in_flight
from order_sagas.system.app import App, app_of, roles_here
from order_sagas.system.bootstrap import Parts, open_store, start
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.gc_settings import tune_garbage_collection
from order_sagas.system.history_recorder import HistoryRecorder
from order_sagas.system.log_client import log_access
from order_sagas.system.logs import configure_logging
from order_sagas.system.logs.log_file_slot import own_slot
from order_sagas.system.private_files import tighten, warn_of_access
from order_sagas.system.roles import group_of
from order_sagas.system.running_system import RunningSystem
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.settings.location_types import database_url
from order_sagas.system.stop_requests import StopRequests
from order_sagas.system.supervision.cpu_count import usable_cores, worker_count
from order_sagas.system.supervision.supervised_run import run_supervised
from order_sagas.system.telemetry.setup import check_telemetry, metrics_served, telemetry_of

PATIENCE = 60.0
"""Maximum seconds to finish the current batch when stopping."""


@click.command("start")
@settings_options()
def start_command(settings: Settings) -> None:
    """Run the system until Ctrl-C or SIGTERM.

    Stopping finishes and commits the current batch; sagas in flight continue, with their
    deadlines, at the next start. Orders submitted while no system ran are handled immediately. An
    SQLite database is used by one `start` at a time. With --kafka and PostgreSQL, any number of
    `start` on any machines share the shards; --roles runs only some of the services.

    A supervisor runs one worker process per core, or N with `--workers N`, and restarts those that
    die; `order-sagas status` shows them. `--workers 1` runs everything in this process. With
    `--http ADDRESS`, one more process under the supervisor serves the API.

    Exit codes: 0 stopped on request, 1 the system failed, 2 wrong setting.
    """
    clock = SystemClock()
    # Report a wrong app, role or topic here, before the system is started.
    app = app_of(settings)
    if settings.roles:
        settings = attrs.evolve(settings, roles=roles_here(settings, app))
    tightened = tighten(settings)
    with DatabaseLock(settings.database):
        log_access(settings).check_topics(app.topics)
        workers = worker_count(settings)
        if settings.http:
            need("http")
        check_telemetry(settings)
        if workers > 1 or settings.http:
            warn_of_access(settings, tightened)
            _start_supervised(settings, workers)
            return
        telemetry = telemetry_of(settings)
        name = own_slot(settings.log_dir) if settings.kafka else None
        sink = configure_logging(settings, clock, worker=name, console=sys.stderr)
        warn_of_access(settings, tightened)
        parts = Parts(
            settings=settings,
            clock=clock,
            outage_folder=settings.log_dir,
            flush=sink.flush,
            observers=telemetry.observers,
            tracing=telemetry.tracing,
        )
        _prepare(parts)
        in_flight, waiting = _found(settings.database)
        running: RunningSystem | None = None
        with (
            StopRequests() as stops,
            DatabaseFileWatch(settings.database, lambda _: stops.put("")) as watch,
            metrics_served(settings, telemetry, lambda: running.report() if running else None),
        ):
            running = _run(parts, lambda _: stops.put(""))
            bell = Doorbell(settings.database, lambda: running.tell_processor(RecordsWaiting()))
            bell.listen()
            running.tell_processor(RecordsWaiting())  # for records appended before `listen`
            history = HistoryRecorder(settings, running.report, name or "0").start()
            tune_garbage_collection()
            click.echo(_banner(settings, 1, in_flight, waiting))
            asked = stops.get()
            if asked:
                _announce(f"{asked}: finishing the current batch ...")
            bell.close()
            history.close()
            stopped = _stop(running)
        telemetry.close()
        sink.close()
        if error := explained(watch):
            raise error
        if running.failure:
            raise click.ClickException(_why(running.failure, settings))
        if not stopped:
            raise click.ClickException(
                f"the batch did not finish within {PATIENCE:g} s and was dropped; "
                "nothing that was committed is lost, and the next start does it again"
            )
        click.echo("Stopped. Sagas in flight continue at the next start.")


def _start_supervised(settings: Settings, workers: int) -> None:
    parts = Parts(settings=settings)
    _prepare(parts)
    found = _found(settings.database)
    with StopRequests() as stops:
        outcome = run_supervised(
            settings,
            workers,
            stops,
            started=lambda: click.echo(_banner(settings, workers, *found)),
            stopping=lambda asked: _announce(f"{asked}: finishing the current batches ..."),
        )
    if outcome.replaced:
        raise outcome.replaced
    if outcome.failure:
        raise click.ClickException(
            f"a worker could not be kept running: {outcome.failure}\n"
            f"Nothing that was committed is lost. The logs have the details: {settings.log_dir}"
        )
    if not outcome.clean:
        raise click.ClickException(
            "a batch did not finish in time and was dropped; "
            "nothing that was committed is lost, and the next start does it again"
        )
    click.echo("Stopped. Sagas in flight continue at the next start.")


def _prepare(parts: Parts) -> None:
    """Make or migrate the database, and compare its clock with the one of this machine."""
    store = open_store(parts.settings, parts.registry, parts.services, migrating=True)
    try:
        if ORCHESTRATOR in parts.roles:
            check_in_flight(store.db, parts.registry)
        warn_of_clock(store.db)
    finally:
        store.close()


def _announce(line: str) -> None:
    """Print a line. Errors are ignored: a closed or full standard output must not block a stop."""
    with suppress(OSError):
        click.echo(line)


def _run(parts: Parts, on_failure: Callable[[BaseException], Any]) -> RunningSystem:
    actors = ActorSystem(EventLoopBase(parts.clock), transientUnique=True)
    return start(parts, actors, on_failure)


def _stop(running: RunningSystem) -> bool:
    if running.failure:
        running.actors.shutdown()
        return True
    return running.stop(PATIENCE)


def _found(database: str) -> tuple[int, int]:
    with queries.reading(database) as db:
        return queries.in_flight(db), sum(queries.waiting(db).values())


def _banner(settings: Settings, workers: int, in_flight: int, waiting: int) -> str:
    rows = [
        (
            "database",
            f"{database_url().show(settings.database)}, {many(settings.partitions, 'partition')}",
        ),
        *([("kafka", f"{settings.kafka}, group {group_of(settings)}")] if settings.kafka else []),
        *([("roles", ", ".join(settings.roles))] if settings.roles else []),
        ("logs", str(settings.log_dir)),
        ("workers", f"{workers}, of {many(usable_cores(), 'core')}"),
        *([("http", f"http://{settings.http}")] if settings.http else []),
        *([("metrics", f"http://{settings.metrics}/metrics")] if settings.metrics else []),
        ("found", f"{many(in_flight, 'saga')} in flight, {many(waiting, 'record')} waiting"),
        ("stop", "Ctrl-C or SIGTERM; nothing is lost"),
        ("try", first_start(app_of(settings))),
    ]
    lines = [f"  {name:<10}{value}" for name, value in rows]
    return "\n".join(["order-sagas is running", *lines])


def first_start(app: App) -> str:
    """Return a command that starts a saga of the app, or shows what its start has to name."""
    if app.takes_orders:
        return suggestion("submit", _orders_file(), "--wait")
    saga = app.sagas[0]
    required = [each.name for each in msgspec.structs.fields(saga.starts_on) if each.required]
    if required != ["order_id"]:
        return suggestion("messages", status(saga.starts_on))
    return suggestion("sagas", "start", saga.name, "--data", '{"orderId": "1"}', "--wait")


def _orders_file() -> str:
    """Return the path of the example orders of a source checkout, or a placeholder name."""
    shipped = Path("examples/orders.jsonl")
    return str(shipped) if shipped.is_file() else "orders.jsonl"


def _why(failure: BaseException, settings: Settings) -> str:
    return (
        f"the system failed: {type(failure).__name__}: {failure}\n"
        f"Nothing that was committed is lost. The log has the details: {settings.log_dir}"
    )
