"""`order-sagas dead-letters`: list, show, replay and discard dead letters."""

import functools
import json
from typing import Any

import attrs
import click
from rich.table import Table

from order_sagas.actors.words import many
from order_sagas.bridges.operations.dead_letters import DeadLetterOperations, DeadLetterReader
from order_sagas.bridges.operations.letters import DeadLetter, DeadLetterFilter
from order_sagas.system.cli import complete
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.confirm import bulk_options, confirm, older_than_option
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.orders import CSV_HELP
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    console,
    dead_letters,
    echo,
    open_log,
    plain_table,
    print_json,
    say_if_idle,
)
from order_sagas.system.cli.public_json import ByName
from order_sagas.system.cli.search import print_csv, time_value
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings, settings_options

SHOWN = 60
"""Maximum number of characters of a value in the list."""


@click.group("dead-letters", cls=Group)
def dead_letters_group() -> None:
    """Records that could not be handled: show why, replay or discard them.

    A record that cannot be decoded, or on which a handler failed twice, is kept here unchanged.
    Fix the cause, then replay the record.
    """


@attrs.frozen
class Asked:
    """Arguments and options common to `replay` and `discard`."""

    letter_ids: tuple[int, ...]
    everything: bool
    topic: str
    error: str
    older_than: float
    again: bool
    by: str
    why: str
    dry_run: bool
    yes: bool
    settings: Settings


def _asked(function: Any) -> Any:
    """Add the arguments and options of `Asked` to a command, and pass them as one object."""

    @functools.wraps(function)
    def asked(**given: Any) -> None:
        function(Asked(**given))

    command: Any = asked
    for decorate in (
        settings_options(*LOG_SETTINGS),
        bulk_options,
        older_than_option("With --all: only dead letters older than this."),
        click.option("--error", default="", help="With --all: only those whose error has this."),
        click.option(
            "--topic",
            default="",
            shell_complete=complete.topics,
            help="With --all: only those of this topic.",
        ),
        click.option("--all", "everything", is_flag=True, help="All open dead letters."),
        click.option("--again", is_flag=True, help="Also those already replayed or discarded."),
        click.option("--why", default="", help="The reason, for the log."),
        click.option(
            "--by", default=current_user, help="The operator's name, for the log. Default: you."
        ),
        click.argument("letter_ids", type=int, nargs=-1),
    ):
        command = decorate(command)
    return command


@dead_letters_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Include replayed and discarded ones.")
@click.option(
    "--topic", default="", shell_complete=complete.topics, help="Only those of this topic."
)
@click.option("--error", default="", help="Only those whose error has this.")
@click.option("--since", callback=time_value, metavar="TIME", help="Only those since this time.")
@click.option("--until", callback=time_value, metavar="TIME", help="Only those before this time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help=CSV_HELP)
@settings_options(*LOG_SETTINGS)
def list_command(
    everything: bool, as_json: bool, as_csv: bool, settings: Settings, **which: Any
) -> None:
    """List dead letters, the oldest first."""
    letters = dead_letters(settings).choose(DeadLetterFilter(**which), marked=True)
    shown = [letter for letter in letters if everything or not letter.mark]
    if as_csv:
        rows = [_as_json(letter) for letter in shown]
        print_csv([{**row, "headers": json.dumps(row["headers"].values)} for row in rows])
        return
    if as_json:
        print_json([_as_json(letter) for letter in shown])
        return
    if not shown:
        closed = f" {len(letters):,} replayed or discarded; --all shows them." if letters else ""
        such = " such" if any(which.values()) else ""
        echo(f"There are no{such} dead letters.{closed}")
        return
    console().print(_table(shown))


@dead_letters_group.command("show")
@click.argument("letter_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options(*LOG_SETTINGS)
def show_letter_command(letter_id: int, as_json: bool, settings: Settings) -> None:
    """Show one dead letter: its topic, partition and offset, error, key, headers and value."""
    letter = dead_letters(settings).get(letter_id)
    fields = _as_json(letter)
    if as_json:
        print_json(fields)
        return
    fields["headers"] = fields["headers"].values
    for name, value in fields.items():
        if value not in (None, "", {}):
            echo(f"{name + ':':<11}{value}")
    if not letter.mark:
        echo(f"\n{suggestion('dead-letters', 'replay', str(letter_id))}", err=True)


@dead_letters_group.command("replay")
@_asked
def replay_command(asked: Asked) -> None:
    """Append the records of LETTER_IDS to their topics again, unchanged.

    With --all, the records of all dead letters that match; --dry-run lists them.
    """
    chosen = _chosen(dead_letters(asked.settings), asked, "replay")
    if not chosen:
        return
    with open_log(asked.settings) as log:
        DeadLetterOperations(log).replay(chosen, asked.by, asked.why, again=asked.again)
    echo(f"{many(len(chosen), 'record')} replayed.")
    say_if_idle(log)


@dead_letters_group.command("discard")
@_asked
def discard_command(asked: Asked) -> None:
    """Mark LETTER_IDS as needing no further action. Needs --why. They stay in the log.

    With --all, all dead letters that match; --dry-run lists them.
    """
    if not asked.why.strip():
        raise click.UsageError("discarding needs a reason; give it with --why")
    chosen = _chosen(dead_letters(asked.settings), asked, "discard")
    if not chosen:
        return
    with open_log(asked.settings) as log:
        DeadLetterOperations(log).discard(chosen, asked.by, asked.why, again=asked.again)
    echo(f"{many(len(chosen), 'letter')} discarded.")


def _chosen(letters: DeadLetterReader, asked: Asked, verb: str) -> list[int]:
    """Return the numbers of the dead letters to act on; empty after a dry run."""
    if bool(asked.letter_ids) == asked.everything:
        raise click.UsageError("name letters by their ids, or say --all")
    if asked.letter_ids and (asked.topic or asked.error or asked.older_than):
        raise click.UsageError("--topic, --error and --older-than go with --all")
    if asked.everything:
        found = letters.choose(DeadLetterFilter(asked.topic, asked.error, asked.older_than))
    elif asked.dry_run:
        found = [letters.get(number) for number in asked.letter_ids]
    else:
        return [*asked.letter_ids]
    if asked.dry_run or not found:
        if found:
            console().print(_table(found))
        echo(f"{many(len(found), 'dead letter') if found else 'No dead letters'} to {verb}.")
        return []
    confirm(f"{verb.capitalize()} {many(len(found), 'dead letter')}?", yes=asked.yes)
    return [letter.number for letter in found]


def _table(letters: list[DeadLetter]) -> Table:
    table = plain_table("id", "when (UTC)", "from", "error", "value", "")
    for letter in letters:
        value = _text(letter.value)
        table.add_row(
            str(letter.number), _when(letter), letter.topic,
            letter.error, value[:SHOWN] + ("…" if len(value) > SHOWN else ""),
            _became(letter),
        )  # fmt: skip
    return table


def _when(letter: DeadLetter) -> str:
    """Return its time as other tables have it, from ISO 8601; a text of others as it is."""
    return letter.time.removesuffix("Z").partition(".")[0].replace("T", " ")


def _became(letter: DeadLetter) -> str:
    """Describe the action on a dead letter, with operator and reason; "" while it is open."""
    mark = letter.mark
    if not mark:
        return ""
    why = f": {mark.why}" if mark.why else ""
    return f"{mark.action} by {mark.by}{why}"


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    mark = letter.mark
    return {
        "number": letter.number,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time,
        "error": letter.error,
        "key": _text(letter.key),
        "headers": ByName({name: _text(value) for name, value in letter.headers}),
        "value": _text(letter.value) if letter.value is not None else None,
        **({"truncated": True} if letter.is_cut else {}),
        "action": mark.action if mark else "",
        "by": mark.by if mark else "",
        "why": mark.why if mark else "",
        "at": mark.at if mark else "",
    }


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")
