"""`order-sagas prune`: delete orders that ended long ago, optionally archiving them first."""

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from order_sagas.actors.words import many
from order_sagas.bridges.operations.action_log import note_effect
from order_sagas.bridges.operations.archive import ArchiveFile
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.database_url import file_of
from order_sagas.bridges.storage.operator_actions import SYSTEM
from order_sagas.bridges.storage.order_retention import Round
from order_sagas.bridges.storage.store import Store
from order_sagas.system.cli.confirm import bulk_options, confirm
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import echo, moment, print_json, report_if_interrupted
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.settings.value_types import duration

_DURATION = duration()


def _seconds(ctx: click.Context, parameter: click.Parameter, written: str) -> float:
    if written.strip()[-1:].isdecimal():  # 90 might be meant as days
        raise click.BadParameter(f"{written!r} has no unit; say {written.strip()}d for days, or s")
    try:
        return float(_DURATION.read(written))
    except (ValueError, KeyError):
        raise click.BadParameter(f"{written!r} is not {_DURATION.accepts}") from None


@click.command("prune")
@click.option(
    "--older-than",
    required=True,
    callback=_seconds,
    metavar="DURATION",
    help="Minimum time since the end of an order, such as 30d.",
)
@bulk_options
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append each order to FILE, as a line of JSON, before it is deleted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@operator_options
@settings_options("app", "database", "partitions", "kafka")
def prune_command(
    older_than: float,
    dry_run: bool,
    yes: bool,
    archive: Path | None,
    as_json: bool,
    by: str,
    why: str,
    settings: Settings,
) -> None:
    """Delete orders that ended long ago, with all that belongs to them.

    Orders in flight are kept, and so are orders with unfinished work: a payment or a notification
    in progress, or reserved stock. Old records of the embedded log are deleted too, dead letters
    never. The ids of orders are kept, so that a duplicate is still recognised; `audit` still
    balances, and `trace` still reads the logs.

    It works in small transactions beside a running system, which prunes by itself if the setting
    keep_finished is set. The file of an SQLite database does not shrink; freed space is reused.
    """
    from order_sagas.system.bootstrap import Parts, open_store  # loads slowly, for a help text

    with queries.reading(settings.database):
        pass  # raises an error if there is no database
    if not dry_run:
        before = moment(time.time() - older_than)
        confirm(f"Delete the orders that ended before {before} UTC?", yes=yes)
    parts = Parts(settings=settings)
    registry, now = parts.registry, time.time()
    with ExitStack() as stack:
        store = open_store(settings, registry, parts.services)
        stack.callback(store.close)
        keep = None
        if archive and not dry_run:
            keep = stack.enter_context(ArchiveFile(archive, store, registry)).keep
        done = Round(store, now - older_than, keep, dry=dry_run)
        told = partial(_told, done, dry_run=dry_run)
        stack.enter_context(report_if_interrupted(lambda: f"{told()}; the rest was not examined."))
        status = stack.enter_context(Console(stderr=True).status(""))
        if not dry_run:  # also of what was done when it is interrupted
            stack.callback(_note, store, done, now - older_than, by, why)
        while not done.done:
            began = time.monotonic()
            done.step(None, now)
            status.update(told())
            if not dry_run and file_of(settings.database):
                # Give other processes a chance to take SQLite's single write lock.
                time.sleep(min(0.1, time.monotonic() - began))
    pruned = done.pruned
    if as_json:
        print_json(
            {"orders": pruned.orders, "records": pruned.records, "dry_run": dry_run,
             "before": now - older_than, "archive": str(archive) if keep else None}
        )  # fmt: skip
        return
    echo(f"{told()}: those that ended before {moment(now - older_than)} UTC.")
    if keep:
        echo(f"Archived in {archive}.")


def _told(done: Round, *, dry_run: bool) -> str:
    orders, records = many(done.pruned.orders, "order"), many(done.pruned.records, "record")
    return f"{orders} and {records} of the log {'would be deleted' if dry_run else 'deleted'}"


def _note(store: Store, done: Round, before: float, by: str, why: str) -> None:
    """Store in the log of operators' actions what was pruned."""
    pruned, rest = done.pruned, "" if done.done else "; it was broken off"
    note_effect(
        store.db, SYSTEM, "orders", action="prune", by=by, why=why, now=time.time(),
        detail=f"{many(pruned.orders, 'order')} that ended before {moment(before)} UTC, and "
        f"{many(pruned.records, 'record')} of the log{rest}",
    )  # fmt: skip
