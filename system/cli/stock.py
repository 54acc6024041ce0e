"""`order-sagas stock`: load stock, and show stock levels."""

import secrets
from pathlib import Path
from typing import Any

import click
import msgspec

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.participants import STOCK
from order_sagas.actors.words import many
from order_sagas.bridges.intake.csv_table import FileError, check_encoding, decode_text
from order_sagas.bridges.intake.stock_files import loads_of, read_stock
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.operator_actions import WAREHOUSE
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    console,
    echo,
    open_log,
    plain_table,
    print_json,
    say_if_idle,
)
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.saga_registry import check_stock
from order_sagas.system.settings import Settings, settings_options


@click.group("stock", cls=Group)
def stock_group() -> None:
    """Load stock into warehouses, and show stock levels."""


@stock_group.command("load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--again", is_flag=True, help="Load the file even if the same content was loaded before."
)
@click.option(
    "--encoding",
    default="",
    help="Encoding of FILE, such as cp1252. Default: UTF-8, or by its BOM.",
)
@operator_options
@settings_options(*LOG_SETTINGS)
@click.pass_context
def load_command(
    ctx: click.Context,
    file: Path,
    again: bool,
    encoding: str,
    by: str,
    why: str,
    settings: Settings,
) -> None:
    """Add the stock in FILE, a CSV with a header: sku,quantity,warehouse.

    `warehouse` is optional, and `main` by default. A file is loaded as a whole: if a line is bad,
    nothing is loaded. Loading the same content twice changes nothing; --again loads it again.
    """
    check_stock(settings)
    try:
        if encoding:
            check_encoding(encoding)
        rows, bad = read_stock(decode_text(file.read_bytes(), encoding))
    except FileError as error:
        raise FileError(f"{file}: {error}") from None
    for line, problem in bad:
        echo(f"{file}:{line}: {problem}", err=True)
    if bad:
        echo(f"Nothing was loaded: put {many(len(bad), 'line')} right and load it again.", err=True)
        ctx.exit(1)
    loads = list(loads_of(rows, secrets.token_hex(8) if again else ""))
    if not loads:
        echo("There are no goods in it.")
        return
    with open_log(settings, new=True) as log:
        new = _put(log, loads, by, why)
    if not new:
        echo("Nothing changed: this delivery was loaded before. If it came twice, add --again.")
        return
    skus, goods = len({(w, s) for w, s, _ in rows}), sum(quantity for _, _, quantity in rows)
    warehouses = len({warehouse for warehouse, _, _ in rows})
    echo(f"{many(goods, 'piece')} of {many(skus, 'SKU')} sent to {many(warehouses, 'warehouse')}.")
    say_if_idle(log)


def _put(log: LogWriter, loads: list[Any], by: str, why: str) -> int:
    """Append the loads that are new, and record their ids in `order_keys`. Returns their number."""
    db, mark = log.db, log.db.placeholder
    records = {
        load.order_id: log.outgoing(STOCK.topic, load.warehouse, msgspec.json.encode(load))
        for load in loads
    }
    with log.transaction() as cursor:
        cursor.execute(
            f"SELECT order_id FROM order_keys WHERE order_id {db.is_in('text')}",
            (db.many(list(records), str),),
        )
        for (order_id,) in cursor.fetchall():
            del records[order_id]
        if records:
            cursor.executemany(
                f"INSERT INTO order_keys (order_id, shard) VALUES ({mark}, {mark})",
                [(order_id, log.outgoing("", order_id, b"").partition) for order_id in records],
            )
            log.put(cursor, records.values())
            note_effects(
                db, cursor, Origin(), kind=WAREHOUSE,
                targets=sorted({load.warehouse for load in loads if load.order_id in records}),
                action="load stock", by=by, why=why, now=SystemClock().now(),
            )  # fmt: skip
    return len(records)


@stock_group.command("show")
@click.argument("sku", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("app", "database")
def stock_show_command(sku: str | None, as_json: bool, settings: Settings) -> None:
    """Show each SKU: on hand, held for orders in flight, sold, and loaded in total.

    loaded = on hand + held + sold, always; `order-sagas audit` checks it.
    """
    check_stock(settings)
    with queries.reading(settings.database) as db:
        levels = queries.stock(db, sku)
        loads = queries.waiting_loads(db)
    if as_json:
        print_json(levels)
    elif levels:
        numbers = ("on hand", "held", "sold", "loaded")
        table = plain_table("sku", "warehouse", *numbers, numbers=numbers)
        for row in levels:
            amounts = [row[name.replace(" ", "_")] for name in numbers]
            table.add_row(row["sku"], row["warehouse"], *[f"{amount:,}" for amount in amounts])
        console().print(table)
    else:
        echo(f"Nothing of {sku} was ever loaded." if sku else "There is no stock.")
    if loads:
        lines = sum(count for _, count in loads)
        who = "" if levels else f"; `{suggestion('start')}` handles them"
        echo(f"In the log: {many(len(loads), 'load')} with {many(lines, 'line')}{who}.", err=True)
