"""`order-sagas submit`: submit orders from a file or a pipe."""

import io
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import attrs
import click

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.money import money
from order_sagas.actors.words import many
from order_sagas.bridges.intake.csv_table import FileError, check_encoding, decode_text
from order_sagas.bridges.intake.intake import CHUNK, Intake, Verdict
from order_sagas.bridges.intake.order_files import Found, read_csv, read_jsonl
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    echo,
    open_log,
    print_json,
    report_if_interrupted,
    say_if_idle,
)
from order_sagas.system.cli.public_json import ByName
from order_sagas.system.cli.wait import wait_for, watch_of
from order_sagas.system.log_client import log_access
from order_sagas.system.saga_registry import orders_saga
from order_sagas.system.settings import Settings, settings_options

_WHY = {
    Verdict.CONFLICT: "is there already, with other content; it was left as it is",
    Verdict.TOO_LARGE: "is larger than a record may be",
}


@attrs.define
class _Tally:
    """Number of orders of a file by result."""

    accepted: int = 0
    already_there: int = 0
    refused: int = 0


@click.command("submit")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    help="Format of FILE. Default: by its name. Required for standard input.",
)
@click.option(
    "--encoding",
    default="",
    help="Encoding of FILE, such as cp1252. Default: UTF-8, or by its BOM.",
)
@click.option("--lenient", is_flag=True, help="Ignore fields in JSON that an order does not have.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check FILE and show what would be sent, in total; send nothing.",
)
@click.option("--wait", is_flag=True, help="Show progress until each order has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_options(*LOG_SETTINGS)
@click.pass_context
def submit_command(
    ctx: click.Context,
    file: Path,
    form: str | None,
    encoding: str,
    lenient: bool,
    dry_run: bool,
    wait: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Send the orders in FILE (.jsonl, .csv, or - for standard input).

    \N{BACKSPACE}
    JSON lines hold one order each:
      {"orderId": "A-1", "customerId": "C-7", "currency": "EUR",
       "lines": [{"sku": "PEN", "quantity": 2, "unitPrice": 150}]}
    CSV rows hold one order line each; rows with the same order_id are one order:
      order_id,customer_id,currency,sku,quantity,unit_price

    Prices are whole minor units (cents). `warehouse` is optional, and `main` by default. An order
    without lines, or with an amount of 0, is valid.

    A bad line is reported with its number on standard error and skipped; the exit code is then 1.
    Submitting an order again with the same content changes nothing, unless Kafka deleted its record
    before it was handled: then it is sent again. With other content it is refused. A file that is
    not in its encoding, or is not a table, is refused as a whole. --dry-run does not look into the
    database. With --wait, cancelled orders are an outcome, not an error.
    """
    form = form or {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}.get(file.suffix.lower())
    if form is None:
        raise click.UsageError(f"{file} does not say what it holds: give --format jsonl or csv")
    saga = orders_saga(settings)
    if str(file) != "-" and not file.exists():
        raise click.UsageError(f"there is no file {file}")
    name = "standard input" if str(file) == "-" else str(file)
    if dry_run and wait:
        raise click.UsageError("--dry-run sends nothing that --wait could wait for")
    if encoding:
        check_encoding(encoding)
    tally, numbers = _Tally(), []
    if dry_run:
        with _open(file) as stream:
            found_orders = _read(stream, form, encoding, lenient, name)
            total = _Total()
            for chunk in _chunks(found_orders, name, tally):
                total.add(chunk)
        _show_total(total, tally, as_json)
        ctx.exit(1 if tally.refused else 0)
    done = partial(_interrupted, tally)
    with report_if_interrupted(done), open_log(settings, new=True) as log:
        intake = Intake(log, lost=log_access(settings).lost_orders())
        stream = _open(file)
        try:
            found_orders = _read(stream, form, encoding, lenient, name)
            for chunk in _chunks(found_orders, name, tally):
                orders = [found.order for found in chunk if found.order]
                verdicts = intake.take(orders)
                _count(chunk, verdicts, name, tally)
                if wait:
                    numbers += intake.numbers([order.order_id for order in orders])
        finally:
            if stream is not sys.stdin.buffer:
                stream.close()
        progress = watch_of(log, settings, saga) if wait else None
    if as_json and not wait:
        print_json(attrs.asdict(tally))
    elif not as_json:
        echo(_summary(tally))
    if tally.accepted and not wait:
        say_if_idle(log)
    if progress and numbers:
        progress.pending = sorted(set(numbers))
        wait_for(progress, settings, as_json, attrs.asdict(tally))
    ctx.exit(1 if tally.refused else 0)


@attrs.define
class _Total:
    """Result of a dry run. The same order twice in a file counts once if the content is equal."""

    orders: dict[str, OrderCreated] = attrs.field(factory=dict)

    def add(self, chunk: list[Found]) -> None:
        for found in chunk:
            if found.order:
                self.orders.setdefault(found.order.order_id, found.order)

    def by_currency(self) -> dict[str, tuple[int, int]]:
        """The number of orders and their amount in minor units, for each currency."""
        totals: dict[str, tuple[int, int]] = {}
        for order in self.orders.values():
            count, amount = totals.get(order.currency, (0, 0))
            totals[order.currency] = (count + 1, amount + order.amount)
        return dict(sorted(totals.items()))


def _show_total(total: _Total, tally: _Tally, as_json: bool) -> None:
    totals = total.by_currency()
    if as_json:
        of = {
            c: {"orders": count, "amount": amount, "currency": c}
            for c, (count, amount) in totals.items()
        }
        print_json({"orders": len(total.orders), "refused": tally.refused, "totals": ByName(of)})
        return
    refused = f"; {tally.refused:,} refused" if tally.refused else ""
    echo(f"{many(len(total.orders), 'order')} would be submitted{refused}.")
    for currency, (count, amount) in totals.items():
        shown = money(amount, currency) if currency else "free of charge"
        echo(f"  {many(count, 'order')}: {shown}")


def _open(file: Path) -> BinaryIO:
    return sys.stdin.buffer if str(file) == "-" else file.open("rb")


def _read(stream: BinaryIO, form: str, encoding: str, lenient: bool, name: str) -> Iterator[Found]:
    try:
        if form == "csv":
            yield from read_csv(decode_text(stream.read(), encoding))
        elif encoding:
            lines = io.StringIO(decode_text(stream.read(), encoding))
            yield from read_jsonl((line.encode() for line in lines), lenient=lenient)
        else:
            yield from read_jsonl(stream, lenient=lenient)
    except FileError as error:
        raise FileError(f"{name}: {error}") from None


def _chunks(found: Iterator[Found], name: str, tally: _Tally) -> Iterator[list[Found]]:
    """Yield valid orders in chunks, one per transaction, and report the bad lines between them."""
    chunk: list[Found] = []
    for each in found:
        if each.order is None:
            tally.refused += 1
            echo(f"{name}:{each.line}: {each.problem}", err=True)
            continue
        chunk.append(each)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _count(chunk: list[Found], verdicts: list[Verdict], name: str, tally: _Tally) -> None:
    for found, verdict in zip(chunk, verdicts, strict=True):
        if verdict is Verdict.ACCEPTED:
            tally.accepted += 1
        elif verdict is Verdict.DUPLICATE:
            tally.already_there += 1
        else:
            tally.refused += 1
            order: OrderCreated | None = found.order
            order_id = order.order_id if order else ""
            echo(f"{name}:{found.line}: order {order_id} {_WHY[verdict]}", err=True)


def _interrupted(tally: _Tally) -> str:
    if tally == _Tally():
        return "No order was submitted."
    return f"{_summary(tally)} To submit the rest, submit the same again."


def _summary(tally: _Tally) -> str:
    if not (tally.accepted or tally.refused or tally.already_there):
        return "There are no orders in it."
    said = [f"{many(tally.accepted, 'order')} submitted"]
    if tally.already_there:
        said.append(f"{tally.already_there:,} already there, with the same content")
    if tally.refused:
        said.append(f"{tally.refused:,} refused")
    nothing = "" if tally.accepted else "Nothing changed: "
    return f"{nothing}{'; '.join(said)}."
