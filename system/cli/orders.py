"""`order-sagas orders` and `order-sagas sagas`: list orders and sagas."""

from collections.abc import Callable
from typing import Any

import click

from order_sagas.actors.money import money
from order_sagas.bridges.storage import queries
from order_sagas.system.cli.commands import CommandsByName, Listed
from order_sagas.system.cli.output import console, moment, plain_table, print_json, styled
from order_sagas.system.settings import Settings, settings_options

LIMIT = 50
JSON_HELP = "Print JSON: amounts in minor units of their currency, times in epoch seconds."


def _listing(statuses: tuple[str, ...]) -> Callable[[Any], Any]:
    """Add the options of both lists to a command."""

    def decorate(function: Any) -> Any:
        for option in (
            click.option("--json", "as_json", is_flag=True, help=JSON_HELP),
            click.option(
                "--limit", type=click.IntRange(min=0), default=LIMIT, show_default=True,
                help="Maximum number of rows; 0 for all.",
            ),
            click.option(
                "--status", "wanted", multiple=True,
                type=click.Choice(statuses, case_sensitive=False),
                help="Only those with this status; may be given more than once.",
            ),
        ):  # fmt: skip
            function = option(function)
        return function

    return decorate


@click.command("orders")
@_listing(queries.ORDER_STATUSES)
@settings_options("database")
def orders_command(wanted: tuple[str, ...], limit: int, as_json: bool, settings: Settings) -> None:
    """List orders, the newest first.

    SUBMITTED means that the order waits in the log; CREATED that its saga is running.
    """
    with queries.reading(settings.database) as db:
        rows = queries.orders(db, wanted, limit or None)
    if as_json:
        print_json(rows)
        return
    table = plain_table(
        "order", "status", "customer", "amount", "saga", "reason", "since (UTC)",
        numbers=("amount",),
    )  # fmt: skip
    for row in rows:
        saga = row["saga_status"] or ""
        table.add_row(
            row["order_id"], styled(row["status"]), row["customer_id"] or "", amount(row),
            styled(saga, f", {row['step']}" if row["step"] else ""),
            row["code"] or "", moment(row["updated_at"]),
        )  # fmt: skip
    _print(table, len(rows), limit, "order")


@click.group(
    "sagas",
    invoke_without_command=True,
    commands=CommandsByName(
        {
            "locks": Listed(
                "locks:locks_command",
                "List the locks of exclusive sagas, with who has each and who waits for it.",
            ),
            "migrate": Listed(
                "version_moves:migrate_command",
                "Move the sagas in flight of the definition NAME to one of its versions.",
            ),
        }
    ),
)
@_listing(queries.SAGA_STATUSES)
@settings_options("database")
@click.pass_context
def sagas_command(
    ctx: click.Context, wanted: tuple[str, ...], limit: int, as_json: bool, settings: Settings
) -> None:
    """List sagas, the newest first, with the step that each waits for and its deadline.

    NEEDS_ATTENTION means that a step got no reply and has no attempts left: see `show`, then use
    `retry`, `skip` or `resume`.
    """
    if ctx.invoked_subcommand:
        return
    with queries.reading(settings.database) as db:
        rows = queries.sagas_of(db, wanted, limit or None)
    if as_json:
        print_json(rows)
        return
    table = plain_table("order", "saga", "status", "waits for", "until (UTC)", "reason")
    for row in rows:
        table.add_row(
            row["order_id"], f"{row['saga']} v{row['version']}", styled(row["status"]),
            row["step"], moment(row["deadline"]), row["code"],
        )  # fmt: skip
    _print(table, len(rows), limit, "saga")


def amount(row: dict[str, Any]) -> str:
    """Return the amount of an order or a payment with its currency; "" if it is unknown."""
    if row.get("amount") is None:
        return ""
    return money(row["amount"], row.get("currency") or "")


def _print(table: Any, count: int, limit: int, what: str) -> None:
    if not count:
        click.echo(f"There are no such {what}s.")
        return
    console().print(table)
    if count == limit:
        click.echo(f"The newest {count:,}; --limit shows more.", err=True)
