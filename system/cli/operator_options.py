"""The options of commands that are logged as operators' actions: the operator and the reason."""

import getpass
from collections.abc import Callable
from typing import Any

import click


def current_user() -> str:
    """Return the name of the operating system user, for the history; "unknown" if it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a process without a user, as in a container
        return "unknown"


by_option: Callable[[Any], Any] = click.option(
    "--by", default=current_user, help="The operator's name, for the log. Default: you."
)
"""Adds `--by` to a command."""


def operator_options(command: Any) -> Any:
    """Add `--by` and `--why` to a command."""
    return by_option(click.option("--why", default="", help="The reason, for the log.")(command))
