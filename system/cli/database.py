"""`order-sagas database`: show the schema version of the database, and migrate it."""

import click
import sqlalchemy as sa

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.words import many
from order_sagas.bridges.errors import NoDatabaseError
from order_sagas.bridges.operations.action_log import note_effect
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.bridges.storage.migrations import NEWEST
from order_sagas.bridges.storage.migrations.migration import Migration
from order_sagas.bridges.storage.operator_actions import SYSTEM
from order_sagas.bridges.storage.preparation import EMPTY, PlannedStep, migrate, plan, version_of
from order_sagas.bridges.storage.reading import (
    check_exists,
    one_moment,
    reading_engine,
    stored_version,
)
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import echo, print_json
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings, settings_options


@click.group("database", cls=Group)
def database_group() -> None:
    """Show the schema version of the database, and migrate it.

    `order-sagas start` does that by itself. Commands that only read or send (orders, show, submit,
    http) refuse a database of another version.
    """


@database_group.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("database")
def version_command(as_json: bool, settings: Settings) -> None:
    """Show the schema version of the database, and the one that this program needs."""
    check_exists(settings.database)
    engine = reading_engine(settings.database, poolclass=sa.NullPool)
    with one_moment(engine) as db:
        version = stored_version(db)
    if as_json:
        print_json({"version": version, "needed": NEWEST})
        return
    echo(f"The database has schema version {version}; this program needs {NEWEST}.")
    if version < NEWEST:
        echo(f"To see what would be done: {suggestion('database', 'migrate', '--dry-run')}")


@database_group.command("migrate")
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and change nothing.")
@operator_options
@settings_options("database")
def migrate_command(dry_run: bool, by: str, why: str, settings: Settings) -> None:
    """Bring the database to the schema version that this program needs.

    Make a backup before: there is no way back. Stop everything that uses the database; on SQLite, a
    running system is detected, and nothing is done. Each version is one transaction. It is safe to
    interrupt, and to run twice: committed versions stay, and the next run continues from there.

    Exit codes: 0 it has the version, 1 it could not be done.
    """
    check_exists(settings.database)
    if dry_run:
        _plan(connect(settings.database))
        return
    with DatabaseLock(settings.database):
        db = connect(settings.database)
        before = version_of(db)
        if before == EMPTY:
            raise NoDatabaseError("the database is empty: `start` makes its tables")
        after = migrate(db, _told)
        if after != before:
            note_effect(
                db, SYSTEM, "database", action="migrate", step=f"to version {after}", by=by,
                why=why, now=SystemClock().now(),
            )  # fmt: skip
        db.close()
    done = "nothing to do" if before == after else f"it had {before}"
    echo(f"The database has schema version {after}: {done}.")


def _told(migration: Migration) -> None:
    echo(f"Version {migration.version}: {migration.title}")


def _plan(db: Connection) -> None:
    """Print what would run."""
    planned = plan(db)
    db.close()
    for each in planned:
        _told(each.migration)
        for step in each.steps:
            _print_step(step)
    if planned:
        echo("Nothing was changed: without --dry-run, it is done.")
    else:
        echo(f"There is nothing to do: this program needs schema version {NEWEST}.")


def _print_step(step: PlannedStep) -> None:
    rows = "" if step.rows is None else f"  ({many(step.rows, 'row')})"
    for statement in step.statements:
        echo(f"  {statement}{rows}")
