"""`order-sagas prune`: delete orders that ended long ago, and keep a copy of them if asked."""

import time
from contextlib import ExitStack
from pathlib import Path

import click

from actors.words import many
from bridges.archive import ArchiveFile
from bridges.store import queries
from bridges.store.location import file_of
from bridges.store.retention import Round
from system.bootstrap import Parts, open_store
from system.cli.support import moment, print_json
from system.settings import Settings, settings_options
from system.settings.kinds import duration

_DURATION = duration()


def _seconds(ctx: click.Context, parameter: click.Parameter, written: str) -> float:
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
    help="How long ago an order must have ended, such as 30d.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append each order to FILE, as a line of JSON, before it is deleted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("database", "partitions", "kafka")
def prune_command(
    older_than: float, dry_run: bool, archive: Path | None, as_json: bool, settings: Settings
) -> None:
    """Delete orders that ended long ago, with all that belongs to them.

    Orders in flight stay, and so do those that owe anything: a payment or a notification that is
    under way, goods that are held. Old records of the embedded log go too, dead letters never. An
    order's id stays, so that the order is recognised when it comes again; `audit` still adds up,
    and `trace` still reads the logs.

    A running system goes on meanwhile: it works in small transactions. It does the same by itself
    where the setting keep_finished says for how long orders are kept. The file of an SQLite
    database does not shrink; what was freed is used again.
    """
    with queries.reading(settings.database):
        pass  # there is one
    parts = Parts(settings=settings)
    registry, now = parts.registry, time.time()
    with ExitStack() as stack:
        store = open_store(settings, registry, parts.services)
        stack.callback(store.close)
        keep = None
        if archive and not dry_run:
            keep = stack.enter_context(ArchiveFile(archive, store, registry)).keep
        done = Round(store, now - older_than, keep, dry=dry_run)
        while not done.done:
            began = time.monotonic()
            done.step(None, now)
            if not dry_run and file_of(settings.database):
                # Whoever waits for the one writer of SQLite shall have its turn.
                time.sleep(min(0.1, time.monotonic() - began))
    pruned = done.pruned
    if as_json:
        print_json(
            {"orders": pruned.orders, "records": pruned.records, "dry_run": dry_run,
             "before": now - older_than, "archive": str(archive) if keep else None}
        )  # fmt: skip
        return
    did = "would be deleted" if dry_run else "deleted"
    click.echo(
        f"{many(pruned.orders, 'order')} that ended before {moment(now - older_than)} UTC, and "
        f"{many(pruned.records, 'record')} of the log, {did}."
    )
    if keep:
        click.echo(f"Archived in {archive}.")
