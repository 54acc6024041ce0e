"""`order-sagas sagas locks`: who has the locks of exclusive sagas."""

import click

from order_sagas.bridges.storage import queries
from order_sagas.system.cli.output import console, echo, moment, plain_table, print_json
from order_sagas.system.settings import Settings, settings_options


@click.command("locks")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times are ISO 8601.")
@settings_options("database")
def locks_command(as_json: bool, settings: Settings) -> None:
    """List the locks of exclusive sagas, with who has each and who waits for it.

    A lock is released when its saga ends. A saga that needs attention keeps its lock: settle it
    with `retry`, `skip` or `cancel`.
    """
    with queries.reading(settings.database) as db:
        locks = queries.locks(db)
    if as_json:
        print_json(locks)
        return
    if not locks:
        echo("No lock is held.")
        return
    table = plain_table("key", "saga", "since (UTC)", "waiting", numbers=("waiting",))
    for lock in locks:
        holder, *waiting = lock["claims"]
        table.add_row(lock["key"], holder["saga_id"], moment(holder["since"]), str(len(waiting)))
    console().print(table)
