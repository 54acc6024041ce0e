"""`order-sagas orders`: list orders."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from order_sagas.actors.money import money
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.search import Found, Search, search_orders
from order_sagas.system.cli.output import console, echo, moment, plain_table, print_json, styled
from order_sagas.system.cli.search import found_rows, print_csv, search_of, search_options
from order_sagas.system.saga_registry import orders_saga
from order_sagas.system.settings import Settings, settings_options

LIMIT = 50
CSV_HELP = "Print CSV: amounts in minor units. A text that begins like a formula has a ' in front."
JSON_HELP = "Print JSON: amounts in minor units of their currency, times in ISO 8601."


def listing(statuses: tuple[str, ...]) -> Callable[[Any], Any]:
    """Add the options of a list to a command."""

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
@click.option("--csv", "as_csv", is_flag=True, help=CSV_HELP)
@search_options(of_orders=True)
@listing(queries.ORDER_STATUSES)
@settings_options("app", "database")
def orders_command(
    wanted: tuple[str, ...],
    limit: int,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
    **looked_for: Any,
) -> None:
    """List orders, the newest first.

    The options choose them by what is stored about them, in the whole history.

    SUBMITTED means that the order waits in the log; CREATED that its saga is running.
    """
    definition = orders_saga(settings)
    which = search_of(wanted, looked_for)
    with queries.reading(settings.database) as db:
        searched = search_orders if which.of_content or which.prefix else _every_order
        find = partial(searched, db, which, saga=definition.name)
        found = found_rows(find, limit or None)
        if as_csv:
            print_csv(found)
            return
        rows = [*found]
    if as_json:
        print_json(rows)
        return
    table = plain_table(
        "order", "status", "customer", "amount", "saga", "reason", "since (UTC)",
        numbers=("amount",),
    )  # fmt: skip
    for row in rows:
        saga_status = row["saga_status"] or ""
        table.add_row(
            row["order_id"], styled(row["status"]), row["customer_id"] or "", amount(row),
            styled(saga_status, f", {row['step']}" if row["step"] else ""),
            row["code"] or "", moment(row["updated_at"]),
        )  # fmt: skip
    print_table(table, len(rows), limit, "order")


def _every_order(db: Any, which: Search, limit: int, after: int | None, saga: str) -> Found:
    """Return a page of all orders in some statuses, those among them that wait in the log."""
    rows = queries.orders_page(db, which.statuses, limit, after, saga=saga)
    return Found(rows, rows[-1]["no"] if len(rows) == limit else None)


def amount(row: dict[str, Any]) -> str:
    """Return the amount of an order or a payment with its currency; "" if it is unknown."""
    if row.get("amount") is None:
        return ""
    return money(row["amount"], row.get("currency") or "")


def print_table(table: Any, count: int, limit: int, what: str) -> None:
    """Print a list, or that it is empty; report if the limit cut it."""
    if not count:
        echo(f"There are no such {what}s.")
        return
    console().print(table)
    if count == limit:
        echo(f"The newest {count:,}; --limit shows more.", err=True)
