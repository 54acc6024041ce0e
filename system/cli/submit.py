"""`order-sagas submit`: submit orders from a file or a pipe."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import attrs
import click

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.words import many
from order_sagas.bridges.intake.intake import CHUNK, Intake, Verdict
from order_sagas.bridges.intake.order_files import Found, read_csv, read_jsonl
from order_sagas.system.cli.output import LOG_SETTINGS, open_log, print_json, say_if_idle
from order_sagas.system.cli.wait import wait_for, watch_of
from order_sagas.system.log_client import log_access
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
@click.option("--wait", is_flag=True, help="Show progress until each order has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_options(*LOG_SETTINGS)
@click.pass_context
def submit_command(
    ctx: click.Context, file: Path, form: str | None, wait: bool, as_json: bool, settings: Settings
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
    before it was handled: then it is sent again. With other content it is refused. With --wait,
    cancelled orders are an outcome, not an error.
    """
    form = form or {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}.get(file.suffix.lower())
    if form is None:
        raise click.UsageError(f"{file} does not say what it holds: give --format jsonl or csv")
    if str(file) != "-" and not file.exists():
        raise click.UsageError(f"there is no file {file}")
    name = "standard input" if str(file) == "-" else str(file)
    tally, numbers = _Tally(), []
    with open_log(settings) as log:
        intake = Intake(log, lost=log_access(settings).lost_orders())
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        try:
            for chunk in _chunks(_read(stream, form), name, tally):
                orders = [found.order for found in chunk if found.order]
                verdicts = intake.take(orders)
                _count(chunk, verdicts, name, tally)
                if wait:
                    numbers += intake.numbers([order.order_id for order in orders])
        finally:
            if stream is not sys.stdin.buffer:
                stream.close()
        progress = watch_of(log, settings) if wait else None
    if as_json and not wait:
        print_json(attrs.asdict(tally))
    elif not as_json:
        click.echo(_summary(tally))
    if tally.accepted and not wait:
        say_if_idle(log)
    if progress and numbers:
        progress.pending = sorted(set(numbers))
        wait_for(progress, settings, as_json, attrs.asdict(tally))
    ctx.exit(1 if tally.refused else 0)


def _read(stream: BinaryIO, form: str) -> Iterator[Found]:
    if form == "jsonl":
        return read_jsonl(stream)
    return read_csv(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=""))


def _chunks(found: Iterator[Found], name: str, tally: _Tally) -> Iterator[list[Found]]:
    """Yield valid orders in chunks, one per transaction, and report the bad lines between them."""
    chunk: list[Found] = []
    for each in found:
        if each.order is None:
            tally.refused += 1
            click.echo(f"{name}:{each.line}: {each.problem}", err=True)
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
            click.echo(f"{name}:{found.line}: order {order_id} {_WHY[verdict]}", err=True)


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
