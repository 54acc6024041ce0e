"""Prints known errors as one line, and exits with the matching code."""

import errno
import sys

import click
from sqlalchemy import exc

from order_sagas.actors.errors import SagaError
from order_sagas.bridges.errors import BridgeError, ChangedSagaError
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import SettingError
from order_sagas.system.visible_text import visible

FAILED, USAGE = 1, 2


def exit_with(error: Exception) -> None:
    """Print a known error and exit with 1, or 2 for a setting or a changed saga definition.

    Returns for any other error.
    """
    code = USAGE if isinstance(error, SettingError | ChangedSagaError) else FAILED
    if isinstance(error, SettingError | BridgeError | SagaError):
        problem = str(error)
        if isinstance(error, BridgeError) and error.command:
            problem += f". Try: {suggestion(*error.command)}"
    elif isinstance(error, exc.DBAPIError):
        problem = f"the database: {error.orig}"
    elif isinstance(error, UnicodeEncodeError):
        problem = f"not UTF-8: {error.object}"
    elif isinstance(error, OSError):
        place = error.filename or ("standard output" if error.errno == errno.ENOSPC else "")
        problem = f"{error.strerror or error}{place and f': {place}'}"
    else:
        return
    click.echo(f"Error: {visible(problem)}", err=True)
    sys.exit(code)
