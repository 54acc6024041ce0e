"""Before much is done at once: how much it is, and whether it is meant."""

import sys
from collections.abc import Callable
from typing import Any

import click

from order_sagas.system.settings import value_types as kinds

_AGE = kinds.duration()


def bulk_options(function: Any) -> Any:
    """`--dry-run` and `--yes`."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask whether it is meant."),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
    ):
        function = option(function)
    return function


def older_than_option(help_text: str) -> Callable[[Any], Any]:
    """`--older-than`, as seconds; 0.0 when it is not given."""
    return click.option(
        "--older-than", callback=_seconds, metavar="AGE",
        help=f"{help_text} Takes {_AGE.accepts}.",
    )  # fmt: skip


def confirm(question: str, *, yes: bool) -> None:
    """Ask whoever sits at the terminal; raises click.Abort on a no.

    Nobody is asked where there is no terminal: a script means what it says.
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
