"""Options that find orders and sagas by what is stored about them, and lists as CSV."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from order_sagas.actors.money import amount_of
from order_sagas.bridges.operations.csv_cells import csv_lines
from order_sagas.bridges.storage.search import Found, Search
from order_sagas.system.cli import complete
from order_sagas.system.cli.output import print_lines
from order_sagas.system.cli.public_json import public

_AMOUNT = "EUR 499.50, or minor units"
_PAGE = 500


def time_value(_: click.Context, __: click.Parameter, given: str | None) -> float | None:
    """Return the value of an option for a time, in epoch seconds; None if it is not given."""
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{given!r} is no date or time in ISO 8601, such as 2026-11-27 or 2026-11-27T09:30Z"
        ) from None


def _amount(_: click.Context, __: click.Parameter, given: str | None) -> tuple[int, str] | None:
    if given is None:
        return None
    if given.isascii() and given.isdecimal() and len(given) <= 18:
        return int(given), ""
    try:
        currency, amount = amount_of(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is no amount, such as {_AMOUNT}") from None
    return amount, currency


def search_options(*, of_orders: bool) -> Callable[[Any], Any]:
    """Add the options of a search to a command; they are passed as `search_of` takes them."""
    of_sagas = [
        click.option("--code", default="", help="Only with this failure code."),
        click.option("--reason", default="", help="Only with this text in the reason."),
        click.option(
            "--step", default="", shell_complete=complete.steps,
            help="Only if the saga waits for this step.",
        ),
        click.option("--version", type=int, help="Only with this version of the definition."),
        click.option(
            "--since", callback=time_value, metavar="TIME", help="Only begun then or later."
        ),
        click.option(
            "--until", callback=time_value, metavar="TIME", help="Only begun before this."
        ),
        click.option(
            "--ended-since", callback=time_value, metavar="TIME", help="Only ended then or later."
        ),
        click.option(
            "--ended-until", callback=time_value, metavar="TIME", help="Only ended before this."
        ),
    ]  # fmt: skip
    of_both = [
        click.option("--prefix", default="", help="Only with ids that begin with this."),
        click.option("--customer", default="", help="Only of the customer with this id."),
        click.option("--sku", default="", help="Only with this SKU in a line."),
        click.option(
            "--amount-from", callback=_amount, metavar="AMOUNT",
            help=f"Only worth this or more: {_AMOUNT}.",
        ),
        click.option(
            "--amount-to", callback=_amount, metavar="AMOUNT", help="Only worth this or less."
        ),
        click.option("--currency", default="", help="Only in this currency."),
        *of_sagas,
    ]  # fmt: skip
    if not of_orders:
        of_both.insert(
            0,
            click.option(
                "--saga", default="", shell_complete=complete.sagas, help="Only of this definition."
            ),
        )

    def decorate(function: Any) -> Any:
        for option in reversed(of_both):
            function = option(function)
        return function

    return decorate


def search_of(statuses: Sequence[str], given: dict[str, Any]) -> Search:
    """Return the search of the options. Raises UsageError if they name several currencies."""
    low, low_currency = given.get("amount_from") or (None, "")
    high, high_currency = given.get("amount_to") or (None, "")
    currencies = {each for each in (given.get("currency"), low_currency, high_currency) if each}
    if len(currencies) > 1:
        raise click.UsageError(f"there are several currencies: {', '.join(sorted(currencies))}")
    texts = ("prefix", "customer", "sku", "code", "reason", "step", "saga")
    return Search(
        statuses=tuple(statuses),
        **{name: given[name] for name in texts if name in given},
        currency=currencies.pop() if currencies else "",
        amount_from=low,
        amount_to=high,
        version=given["version"],
        started_from=given["since"],
        started_to=given["until"],
        ended_from=given["ended_since"],
        ended_to=given["ended_until"],
    )


def found_rows(find: Callable[..., Found], limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield what a search finds in the whole history, at most `limit` rows, a page at a time."""
    left, after = limit, None
    while left is None or left > 0:
        found = find(limit=_PAGE if left is None else min(_PAGE, left), after=after)
        for row in found.rows[:left]:
            yield {name: row[name] for name in row if name != "no"}
        left = None if left is None else left - len(found.rows)
        after = found.after
        if after is None:
            return


def print_csv(rows: Iterable[dict[str, Any]]) -> None:
    """Print rows as CSV with a line of names, as `public` has them. Nothing if there are none."""
    some, names = iter(rows), False
    while chunk := [public(row) for row in islice(some, _PAGE)]:
        head = [] if names else [[*chunk[0]]]
        print_lines(csv_lines([*head, *([*row.values()] for row in chunk)]))
        names = True
