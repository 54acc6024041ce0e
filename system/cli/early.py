"""`order-sagas sagas early`: replies and signals that came before their saga was there."""

import click

from order_sagas.bridges.storage import queries
from order_sagas.system.cli.output import console, echo, moment, plain_table, print_json
from order_sagas.system.settings import Settings, settings_options


@click.command("early")
@click.option(
    "--limit", type=click.IntRange(min=0), default=100, show_default=True,
    help="Maximum number listed; 0 lists all.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times are ISO 8601.")
@settings_options("database")
def early_command(limit: int, as_json: bool, settings: Settings) -> None:
    """List the replies and signals that came too early and are kept, the oldest first.

    Each is delivered when its saga gets to the step that takes it. If that does not happen within
    `keep_early_replies`, it becomes a dead letter. `show ORDER_ID` prints their values.
    """
    with queries.reading(settings.database) as db:
        found, count = queries.early(db, limit or None), queries.early_count(db)
    if as_json:
        print_json(found)
        return
    if not found:
        echo("No reply is kept.")
        return
    table = plain_table("order", "message", "topic", "since (UTC)")
    for each in found:
        table.add_row(each["order_id"], each["status"], each["topic"], moment(each["at"]))
    console().print(table)
    if count > len(found):
        echo(f"{count - len(found):,} more: --limit 0 lists all.")
