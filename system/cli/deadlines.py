"""`order-sagas deadlines`: deadlines that were set by a clock that was ahead."""

import time

import click

from order_sagas.actors.words import many
from order_sagas.bridges.operations import SagaOperations
from order_sagas.bridges.operations.far_deadlines import FarDeadline, far_deadlines
from order_sagas.bridges.storage import queries
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.confirm import confirm
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    console,
    echo,
    moment,
    open_log,
    plain_table,
    say_if_idle,
)
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options

SHOWN = 20
"""Maximum number of sagas listed before the question."""


@click.group("deadlines", cls=Group)
def deadlines_group() -> None:
    """Find deadlines that were set while the clock was ahead, and repair them."""


@deadlines_group.command("repair")
@click.option("--dry-run", is_flag=True, help="List the sagas, and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--by", default=current_user, help="The operator's name, for the history. Default: you."
)
@settings_options("deadline_scale", *LOG_SETTINGS)
def repair_command(dry_run: bool, yes: bool, by: str, settings: Settings) -> None:
    """Begin the waits anew whose deadlines lie farther ahead than their saga ever sets them.

    Correct the clock first: the deadlines are compared with it. Each saga is sent a
    command, so this works beside a running system, and may be repeated. The setting deadline_scale
    must be that of the system.
    """
    with queries.reading(settings.database) as db:
        found = far_deadlines(db, registry_of(settings), time.time())
    if not found:
        echo("No deadline lies too far ahead.")
        return
    _print(found)
    if dry_run:
        return
    confirm(f"Repair {many(len(found), 'saga')}?", yes=yes)
    operations = SagaOperations(settings.database, registry_of(settings))
    with open_log(settings) as log:
        operations.send([each.command(by) for each in found], log)
    echo(f"Sent to {many(len(found), 'saga')}.")
    say_if_idle(log)


def _print(found: list[FarDeadline]) -> None:
    table = plain_table("order", "saga", "waits for", "until (UTC)")
    for each in found[:SHOWN]:
        steps = ", ".join(step or "its own deadline" for step in each.steps)
        table.add_row(each.order_id, each.saga, steps, moment(each.deadline))
    console().print(table)
    if len(found) > SHOWN:
        echo(f"and {len(found) - SHOWN:,} more")
    echo(f"{many(len(found), 'saga')} with deadlines that lie too far ahead.")
