"""What several commands need: the log to write to, words about a running system, ways to print."""

import os
import sys
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from order_sagas.actors.words import many
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.dead_letters import LetterReader
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.log_client import log_access
from order_sagas.system.settings import Settings

STATUS_STYLES = {
    "COMPLETED": "green",
    "SENT": "green",
    "HELD": "green",
    "DONE": "green",
    "CANCELLED": "red",
    "FAILED": "red",
    "REFUSED": "red",
    "NEEDS_ATTENTION": "bold red",
    "STUCK": "bold red",
    "UNDO_STUCK": "bold red",
    "COMPENSATING": "magenta",
    "ROLLED_BACK": "magenta",
    "REFUNDED": "magenta",
    "RELEASED": "magenta",
    "UNDONE": "magenta",
    "RUNNING": "cyan",
    "CREATED": "cyan",
    "SUBMITTED": "dim",
}


LOG_SETTINGS = ("database", "partitions", "kafka")
"""Flags of a command that writes to the log; how to log in stands in a file or the environment."""


def open_log(settings: Settings) -> LogWriter:
    """The log that the settings name, to write to."""
    _quiet(settings)
    return log_access(settings).open()


def dead_letters(settings: Settings) -> LetterReader:
    """The dead letters of the log that the settings name, to look at."""
    _quiet(settings)
    return LetterReader(log_access(settings).letters())


def _quiet(settings: Settings) -> None:
    if settings.kafka:
        import structlog  # here, because it takes long to load, and nothing else logs

        # Standard output is for what was asked for.
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger("warning"),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


def console(*, markup: bool = False) -> Console:
    """Standard output; as wide as its content needs when it is no terminal.

    Without `markup`, square brackets in what people wrote are only brackets.
    """
    made = Console(highlight=False, markup=markup, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 160
    return made


def plain_table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table without more lines than it needs; `numbers` are columns flushed right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def print_json(value: Any) -> None:
    """Indented JSON on standard output."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str))


def styled(status: str, more: str = "") -> Text:
    """A status in its colour, and more text behind it."""
    return Text.assemble((status, STATUS_STYLES.get(status, "")), more)


def moment(at: float | None) -> str:
    """Epoch seconds for people, in UTC; nothing for none."""
    if not at:
        return ""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def say_if_idle(log: LogWriter) -> None:
    """On standard error: nobody handles what was sent until a system is started."""
    if not log.running:
        click.echo(f"{log.nobody} `{suggestion('start')}` handles them.", err=True)
    if log.left:
        click.echo(
            f"Kafka has not acknowledged {many(log.left, 'record')}: what is left is in the "
            "database, and is sent by the workers, or by the next command that writes.",
            err=True,
        )
