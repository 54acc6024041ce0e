"""`order-sagas sagas migrate`: move sagas in flight to another version of their definition."""

import sys
from contextlib import ExitStack

import click

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.words import many
from order_sagas.bridges.operations.version_moves import EXAMPLES, Moves, VersionMoves
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.bridges.storage.preparation import check_version, version_of
from order_sagas.bridges.storage.reading import check_exists
from order_sagas.system.cli import complete
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import echo
from order_sagas.system.logs import configure_logging
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options

LOG = "migrate"
"""The name of the log file, as of a worker."""


@click.command("migrate")
@click.argument("name", shell_complete=complete.sagas)
@click.option("--to", type=click.IntRange(min=1), required=True, help="The version to move to.")
@click.option("--dry-run", is_flag=True, help="Tell what would be moved, and change nothing.")
@operator_options
@settings_options("database", "app", "deadline_scale", "log_dir")
def migrate_command(
    name: str, to: int, dry_run: bool, by: str, why: str, settings: Settings
) -> None:
    """Move the sagas in flight of the definition NAME to one of its versions.

    The newer definition of the two declares in `migrates` which step is which. `--to` a former
    version goes back. A saga that cannot be moved stays as it is, and the reason is printed. All
    sagas are moved in one transaction. Their traces show it.

    Stop the system before. On SQLite, a running system is detected, and nothing is done. On
    PostgreSQL, the next commit of a running worker is refused, and it reads its sagas again.

    Exit codes: 0 all were moved, 1 some cannot be moved or nothing was done.
    """
    check_exists(settings.database)
    clock = SystemClock()
    with ExitStack() as opened:
        if not dry_run:
            opened.enter_context(DatabaseLock(settings.database))
            sink = configure_logging(settings, clock, worker=LOG)
            opened.callback(sink.close)
        db = connect(settings.database)
        opened.callback(db.close)
        check_version(version_of(db))
        moves = VersionMoves(db, registry_of(settings), name, to)
        done = moves.plan(by, clock.now()) if dry_run else moves.run(by, clock.now(), why)
    _tell(done, name, to, dry_run)
    if done.refused:
        sys.exit(1)


def _tell(moves: Moves, name: str, to: int, dry_run: bool) -> None:
    for (version, reason), order_ids in moves.refused.items():
        count = moves.counts[version, reason]
        more = ", ..." if count > EXAMPLES else ""
        echo(
            f"{many(count, 'saga')} of version {version} cannot be moved: {reason} "
            f"({', '.join(order_ids)}{more})",
            err=True,
        )
    done = "would be moved" if dry_run else "moved"
    for version, count in sorted(moves.moved.items()):
        echo(f"{many(count, 'saga')} {done} from version {version} to {to}.")
    if not moves.moved and not moves.refused:
        echo(f"No saga {name!r} in flight has another version than {to}.")
