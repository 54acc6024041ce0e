"""Options and confirmation of bulk commands."""

import sys
from collections.abc import Callable
from typing import Any

import click

from order_sagas.system.settings import value_types as kinds

_AGE = kinds.duration()


def bulk_options(function: Any) -> Any:
    """Add `--dry-run` and `--yes` to a command."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
        click.option("--dry-run", is_flag=True, help="Only report what would be done."),
    ):
        function = option(function)
    return function


def older_than_option(help_text: str) -> Callable[[Any], Any]:
    """Add `--older-than` to a command, passed in seconds; 0.0 if it is not given."""
    return click.option(
        "--older-than", callback=_seconds, metavar="AGE",
        help=f"{help_text} Takes {_AGE.accepts}.",
    )  # fmt: skip


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation on a terminal; raises click.Abort if it is refused.

    Without a terminal, as in a script, or with `yes`, nothing is asked.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)


def _seconds(_: click.Context, __: click.Parameter, given: str | None) -> float:
    if given is None:
        return 0.0
    try:
        seconds: float = _AGE.read(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is not {_AGE.accepts}") from None
    return seconds
