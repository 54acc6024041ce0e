"""`order-sagas sagas`: list sagas, and start them."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.state import saga_id_of
from order_sagas.actors.words import many
from order_sagas.bridges.intake.intake import CHUNK, Verdict
from order_sagas.bridges.intake.message_files import Given, read_json
from order_sagas.bridges.intake.message_schema import InvalidMessageError, read_message
from order_sagas.bridges.intake.saga_starts import SagaStarts
from order_sagas.bridges.operations.wait_ends import with_ends_of_waits
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.search import Found, search_sagas
from order_sagas.system.app import app_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.commands import CommandsByName, Group, Listed
from order_sagas.system.cli.orders import CSV_HELP, listing, print_table
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    echo,
    moment,
    open_log,
    plain_table,
    print_json,
    report_if_interrupted,
    say_if_idle,
    styled,
)
from order_sagas.system.cli.search import found_rows, print_csv, search_of, search_options
from order_sagas.system.cli.wait import wait_for, watch_of_sagas
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.settings.options import given_flags

_WHY = {
    Verdict.CONFLICT: "was started before with other content; it was left as it is",
    Verdict.TOO_LARGE: "is larger than a record may be",
}


@click.group(
    "sagas",
    cls=Group,
    invoke_without_command=True,
    commands=CommandsByName(
        {
            "early": Listed(
                "early:early_command",
                "List the replies and signals that came too early and are kept, the oldest first.",
            ),
            "locks": Listed(
                "locks:locks_command",
                "List the locks of exclusive sagas, with who has each and who waits for it.",
            ),
            "migrate": Listed(
                "version_moves:migrate_command",
                "Move the sagas in flight of the definition NAME to one of its versions.",
            ),
        },
        group="sagas",
    ),
)
@click.option("--csv", "as_csv", is_flag=True, help=CSV_HELP)
@search_options(of_orders=False)
@listing(queries.SAGA_STATUSES)
@settings_options("app", "database")
@click.pass_context
def sagas_group(
    ctx: click.Context,
    /,
    wanted: tuple[str, ...],
    limit: int,
    as_json: bool,
    as_csv: bool,
    settings: Settings,
    **looked_for: Any,
) -> None:
    """List sagas, the newest first, with the step that each waits for and its deadline.

    NEEDS_ATTENTION means that a step got no reply and has no attempts left: see `show`, then use
    `retry`, `skip` or `resume`.
    """
    if ctx.invoked_subcommand:
        if wanted or as_json or as_csv or any(looked_for.values()) or given_flags():
            raise click.UsageError(f"give the options after `{ctx.invoked_subcommand}`")
        return
    which = search_of(wanted, looked_for)
    with queries.reading(settings.database) as db:

        def find(**page: Any) -> Found:
            found = search_sagas(db, which, **page)
            if any(row["deadline"] for row in found.rows):  # else the app need not be loaded
                registry = registry_of(settings)
                found = attrs.evolve(found, rows=with_ends_of_waits(db, registry, found.rows))
            return found

        found = found_rows(find, limit or None)
        if as_csv:
            print_csv(found)
            return
        rows = [*found]
    if as_json:
        print_json([{"saga_id": saga_id_of(row["saga"], row["order_id"]), **row} for row in rows])
        return
    table = plain_table("order", "saga", "status", "waits for", "until (UTC)", "reason")
    for row in rows:
        table.add_row(
            row["order_id"], f"{row['saga']} v{row['version']}", styled(row["status"]),
            row["step"], moment(row["deadline"]), row["code"],
        )  # fmt: skip
    print_table(table, len(rows), limit, "saga")


@sagas_group.command("start")
@click.argument("name", shell_complete=complete.sagas)
@click.option("--data", help="The fields of the message that starts the saga, as a JSON object.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True, exists=True, dir_okay=False),
    help="A file of JSON or JSON Lines, or - for standard input: one object for each saga.",
)
@click.option("--wait", is_flag=True, help="Show progress until each saga has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print what was started as JSON.")
@settings_options(*LOG_SETTINGS)
@click.pass_context
def start_command(
    ctx: click.Context,
    name: str,
    data: str | None,
    file: Path | None,
    wait: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Start sagas of the definition NAME, and print their ids.

    \N{BACKSPACE}
    For example, of an app with a saga "book-trip":
      order-sagas sagas start book-trip --data '{"orderId": "T-1", "from": "VIE"}'
      order-sagas sagas start book-trip --file trips.jsonl --wait

    `order-sagas messages` lists the fields. `orderId` is required; an order has one saga of each
    definition. Starting it again with the same content changes nothing; with other content it is
    refused. What is wrong is reported with its line and field on standard error and skipped; the
    exit code is then 1.
    """
    registry = app_of(settings).registry
    saga = registry.newest.get(name)
    if saga is None:
        raise click.UsageError(f"there is no saga {name!r}; there are {listed(registry.newest)}")
    if (data is None) == (file is None):
        raise click.UsageError("give --data or --file")
    where, given = _given(data, file)
    started: list[dict[str, Any]] = []
    refused = 0
    done = partial(_interrupted, started)
    with report_if_interrupted(done), open_log(settings, new=True) as log:
        starts = SagaStarts(log, saga)
        for chunk in _chunks(given, saga.starts_on, where):
            messages = [message for _, message in chunk if message]
            refused += len(chunk) - len(messages)
            lines = [line for line, message in chunk if message]
            for line, message, verdict in zip(lines, messages, starts.take(messages), strict=True):
                if verdict in _WHY:
                    refused += 1
                    saga_id = saga_id_of(name, message.order_id)
                    echo(f"{_at(where, line)}{saga_id} {_WHY[verdict]}", err=True)
                    continue
                new = verdict is Verdict.ACCEPTED
                started.append({"sagaId": saga_id_of(name, message.order_id), "new": new})
                if not as_json:
                    echo(started[-1]["sagaId"])
                    if not new:
                        echo("it was there already, with the same content", err=True)
        progress = watch_of_sagas(log, settings, saga) if wait else None
    if as_json and not wait:
        print_json({"sagas": started, "refused": refused})
    if started and not wait:
        say_if_idle(log)
    if progress and started:
        prefix = saga_id_of(name, "")
        progress.pending = [each["sagaId"].removeprefix(prefix) for each in started]
        wait_for(progress, settings, as_json, {"sagas": started, "refused": refused})
    ctx.exit(1 if refused else 0)


def _interrupted(started: list[dict[str, Any]]) -> str:
    return f"{many(len(started), 'saga')} started. To start the rest, start the same again."


def _given(data: str | None, file: Path | None) -> tuple[str, Iterator[Given]]:
    if data is not None:
        return "--data", read_json(data.encode("utf-8", "surrogateescape"), one=True)
    assert file
    if str(file) == "-":
        return "standard input", read_json(sys.stdin.buffer.read())
    return str(file), read_json(file.read_bytes())


def _at(where: str, line: int) -> str:
    return f"{where}:{line}: " if line else f"{where}: "


def _chunks(
    given: Iterator[Given], kind: type[Message], where: str
) -> Iterator[list[tuple[int, Message | None]]]:
    """Yield messages with their lines, in chunks of one transaction; None for a bad one."""
    chunk: list[tuple[int, Message | None]] = []
    for line, fields, problem in given:
        message: Message | None = None
        try:
            if problem:
                raise InvalidMessageError(problem)
            message = _message(kind, fields)
        except InvalidMessageError as error:
            echo(f"{_at(where, line)}{error}", err=True)
        chunk.append((line, message))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _message(kind: type[Message], fields: Any) -> Message:
    """Return the message of these fields. Raises InvalidMessageError."""
    if kind is not OrderCreated:
        return read_message(kind, fields)
    from order_sagas.bridges.intake.order_schema import InvalidOrderError, check_order

    try:
        return check_order(fields)
    except InvalidOrderError as error:
        raise InvalidMessageError(str(error)) from None
