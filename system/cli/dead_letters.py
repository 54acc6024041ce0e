"""`order-sagas dead-letters`: records that nobody could handle."""

from typing import Any

import click

from bridges.letters import Letter, Letters
from system.cli.operate import current_user
from system.cli.support import (
    LOG_SETTINGS,
    console,
    open_log,
    plain_table,
    print_json,
    program,
    say_if_idle,
)
from system.settings import Settings, settings_options

SHOWN = 60
"""Characters of a value in the list."""


@click.group("dead-letters")
def dead_letters_group() -> None:
    """Records that nobody could handle: see why, replay them, or discard them.

    A handler that fails on a record twice, or a record that can't be read, ends here whole. Put
    right what was wrong, then replay.
    """


_by = click.option("--by", default=current_user, help="Who does it, for the log; by default you.")
_again = click.option("--again", is_flag=True, help="Even letters that were seen to already.")


@dead_letters_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were seen to.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options(*LOG_SETTINGS)
def list_command(everything: bool, as_json: bool, settings: Settings) -> None:
    """List dead letters, the oldest first."""
    with open_log(settings) as log:
        letters = Letters(log).all()
    shown = [letter for letter in letters if everything or not letter.mark]
    if as_json:
        print_json([_as_json(letter) for letter in shown])
        return
    if not shown:
        seen = f" {len(letters)} were seen to; --all shows them." if letters else ""
        click.echo(f"There are no dead letters.{seen}")
        return
    table = plain_table("id", "when", "from", "error", "value", "")
    for letter in shown:
        value = _text(letter.value)
        table.add_row(
            str(letter.number), letter.time, letter.topic,
            letter.error, value[:SHOWN] + ("…" if len(value) > SHOWN else ""),
            f"{letter.mark.action} by {letter.mark.by}" if letter.mark else "",
        )  # fmt: skip
    console().print(table)


@dead_letters_group.command("show")
@click.argument("letter_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options(*LOG_SETTINGS)
def show_letter_command(letter_id: int, as_json: bool, settings: Settings) -> None:
    """Show one letter whole: where it came from, the error, its key, headers and value."""
    with open_log(settings) as log:
        letter = Letters(log).get(letter_id)
    fields = _as_json(letter)
    if as_json:
        print_json(fields)
        return
    for name, value in fields.items():
        if value not in (None, "", {}):
            click.echo(f"{name + ':':<11}{value}")
    if not letter.mark:
        click.echo(f"\n{program()} dead-letters replay {letter_id}", err=True)


@dead_letters_group.command("replay")
@click.argument("letter_ids", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that nobody has seen to.")
@_again
@_by
@settings_options(*LOG_SETTINGS)
def replay_command(
    letter_ids: tuple[int, ...], everything: bool, again: bool, by: str, settings: Settings
) -> None:
    """Put the records of LETTER_IDS on their topics once more, as they first came."""
    with open_log(settings) as log:
        letters = Letters(log)
        chosen = _chosen(letters, letter_ids, everything)
        if not chosen:
            click.echo("There are no dead letters to replay.")
            return
        letters.replay(chosen, by, again=again)
    click.echo(f"{len(chosen)} record(s) replayed.")
    say_if_idle(log)


@dead_letters_group.command("discard")
@click.argument("letter_ids", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that nobody has seen to.")
@click.option("--why", required=True, help="The reason, for the log.")
@_again
@_by
@settings_options(*LOG_SETTINGS)
def discard_command(
    letter_ids: tuple[int, ...], everything: bool, why: str, again: bool, by: str,
    settings: Settings,
) -> None:  # fmt: skip
    """Say that LETTER_IDS need nothing more. They stay in the log."""
    if not why.strip():
        raise click.UsageError("--why needs a reason")
    with open_log(settings) as log:
        letters = Letters(log)
        chosen = _chosen(letters, letter_ids, everything)
        letters.discard(chosen, by, why, again=again)
    click.echo(f"{len(chosen)} letter(s) discarded.")


def _chosen(letters: Letters, letter_ids: tuple[int, ...], everything: bool) -> list[int]:
    if bool(letter_ids) == everything:
        raise click.UsageError("name letters by their ids, or say --all")
    if everything:
        return [letter.number for letter in letters.all() if not letter.mark]
    return [*letter_ids]


def _as_json(letter: Letter) -> dict[str, Any]:
    mark = letter.mark
    return {
        "id": letter.number,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time,
        "error": letter.error,
        "key": _text(letter.key),
        "headers": {name: _text(value) for name, value in letter.headers},
        "value": _text(letter.value) if letter.value is not None else None,
        "action": mark.action if mark else "",
        "by": mark.by if mark else "",
        "why": mark.why if mark else "",
        "at": mark.at if mark else "",
    }


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")
