"""`order-sagas actions`: the log of operators' actions, and approvals by a second person."""

from typing import Any

import click

from order_sagas.actors.words import many
from order_sagas.bridges.operations import (
    AlreadySoError,
    Approvals,
    NoSuchActionError,
    SamePersonError,
)
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.operator_action_queries import ActionFilter, actions_page
from order_sagas.bridges.storage.operator_actions import OUTCOMES
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.orders import CSV_HELP, LIMIT
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    console,
    echo,
    moment,
    open_log,
    plain_table,
    print_json,
    say_if_idle,
)
from order_sagas.system.cli.search import print_csv, time_value
from order_sagas.system.settings import Settings, settings_options


@click.group("actions", cls=Group)
def actions_group() -> None:
    """The actions that operators asked for, with their outcomes: list, approve, reject.

    Every action is logged, whether it was asked for on the page, over HTTP, by a command, or by a
    record in the topic `operator-commands`. A worker adds the outcome in the transaction of the
    effect.
    """


@actions_group.command("list")
@click.option("--by", default="", help="Only those of this operator.")
@click.option("--target", default="", help="Only those on this saga, dead letter or service.")
@click.option("--action", default="", help="Only those of this name, such as retry.")
@click.option("--request", default="", help="Only those of this request.")
@click.option(
    "--outcome", "outcomes", multiple=True, type=click.Choice(OUTCOMES),
    help="Only those with this outcome; may be given more than once.",
)  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(min=0), default=LIMIT, show_default=True,
    help="Maximum number of rows; 0 for all.",
)  # fmt: skip
@click.option("--since", callback=time_value, metavar="TIME", help="Only asked for since then.")
@click.option("--until", callback=time_value, metavar="TIME", help="Only asked for before this.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times are ISO 8601.")
@click.option("--csv", "as_csv", is_flag=True, help=CSV_HELP)
@settings_options("database")
def list_actions_command(
    outcomes: tuple[str, ...],
    limit: int,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
    **which: Any,
) -> None:
    """List operators' actions, the newest first, with who, when, why, and the outcome."""
    with queries.reading(settings.database) as db:
        rows = actions_page(db, ActionFilter(**which, outcomes=outcomes), limit or None)
    if as_csv:
        print_csv(map(_fields, rows))
        return
    if as_json:
        print_json([_fields(row) for row in rows])
        return
    if not rows:
        echo("There are no such actions.")
        return
    table = plain_table("no", "asked (UTC)", "by", "action", "on", "outcome", "why")
    for row in rows:
        what = f"{row['action']} {row['step']}".strip()
        detail = f": {row['detail']}" if row["detail"] else ""
        second = f", {row['approved_by']}" if row["approved_by"] else ""
        table.add_row(
            str(row["no"]), moment(row["asked_at"]), f"{row['by']}{second}", what, row["target"],
            f"{row['outcome']}{detail}", row["why"],
        )  # fmt: skip
    console().print(table)
    if len(rows) == limit:
        echo(f"The newest {limit:,}; --limit shows more.", err=True)


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return an action under the names of the HTTP API."""
    fields = {name: value for name, value in row.items() if name not in ("no", "asked_at")}
    known = {"event_id": fields.pop("event_id")}
    return {"number": row["no"], "at": row["asked_at"], **fields, **known}


def _deciding(function: Any) -> Any:
    for decorate in (
        settings_options(*LOG_SETTINGS),
        click.option("--by", default=current_user, help="Your name. Default: your user's."),
        click.argument("numbers", type=int, nargs=-1, required=True),
    ):
        function = decorate(function)
    return function


@actions_group.command("approve")
@_deciding
def approve_command(numbers: tuple[int, ...], by: str, settings: Settings) -> None:
    """Send the actions NUMBERS, which another person asked for and which wait for an approval.

    The log records both names. Here the name is that of --by, which is not checked: to enforce two
    persons, use HTTP, with a token for each.
    """
    approvals = Approvals(settings.database)
    with open_log(settings) as log:
        try:
            approvals.approve(numbers, by, log)
        except (AlreadySoError, NoSuchActionError, SamePersonError) as error:
            raise click.ClickException(str(error)) from None
    echo(f"{many(len(set(numbers)), 'action')} approved.")
    say_if_idle(log)


@actions_group.command("reject")
@click.option("--why", default="", help="The reason.")
@_deciding
def reject_command(numbers: tuple[int, ...], by: str, why: str, settings: Settings) -> None:
    """End the wait of the actions NUMBERS: they are never sent. Needs --why."""
    if not why.strip():
        raise click.UsageError("rejecting an action needs a reason; give it with --why")
    approvals = Approvals(settings.database)
    with open_log(settings) as log:
        try:
            approvals.reject(numbers, by, why, log)
        except (AlreadySoError, NoSuchActionError) as error:
            raise click.ClickException(str(error)) from None
    echo(f"{many(len(set(numbers)), 'action')} rejected.")
