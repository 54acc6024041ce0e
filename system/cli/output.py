"""Shared by commands: opening the log, warning if no system runs, tables, JSON and styles."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from order_sagas.actors.words import many
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.dead_letters import DeadLetterReader
from order_sagas.bridges.storage.reading import check_exists
from order_sagas.system.cli.commands import INTERRUPTED
from order_sagas.system.cli.public_json import public
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.cli.tables import plain_table as plain_table
from order_sagas.system.log_client import log_access
from order_sagas.system.settings import Settings
from order_sagas.system.visible_text import visible, visible_json

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


LOG_SETTINGS = (
    "app", "services", "database", "partitions", "kafka", "wire_forms", "cloud_events",
    "cloud_events_source", "publish",
)  # fmt: skip
"""Flags of commands that write to the log. Credentials come from the file or the environment."""


def open_log(settings: Settings, *, new: bool = False) -> LogWriter:
    """Open the log that the settings name, for writing. Raises BridgeError if it is unavailable.

    Creates the database of the embedded log only if it may be `new`. For commands about stored data
    it may not: a missing database then raises NoDatabaseError.
    """
    _quiet(settings)
    if not new and not settings.kafka:
        check_exists(settings.database)
    return log_access(settings).open()


def dead_letters(settings: Settings) -> DeadLetterReader:
    """Open the dead letters of the log that the settings name, for reading."""
    _quiet(settings)
    return DeadLetterReader(log_access(settings).letters())


def _quiet(settings: Settings) -> None:
    if settings.kafka:
        import structlog  # imported here, because it takes long to load

        # Log lines go to standard error; standard output holds only the command's result.
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger("warning"),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


class VisibleConsole(Console):
    """A console that shows control characters in texts as escapes; its own styles work."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text that is given as a str; made visible before its width is measured."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render anything, texts with styles among it."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


def console(*, markup: bool = False, width: int = 160) -> Console:
    """Return a console on standard output, `width` columns wide if it is not a terminal.

    Without `markup`, square brackets in user data are printed literally.
    """
    made = VisibleConsole(highlight=False, markup=markup, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = width
    return made


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text on standard output, or on standard error; control characters are shown."""
    click.echo(visible(text), err=err, nl=nl)


def print_lines(text: str) -> None:
    """Print lines of CSV, which end in CR LF, with a line feed each; control characters are shown.

    A carriage return would be shown too, as any control character.
    """
    click.echo(visible(text.replace("\r\n", "\n")), nl=False)


def print_json(value: Any, *, indent: bool = True) -> None:
    """Print plain data as JSON on standard output, in the form that `public` describes."""
    print_document(public(value), indent=indent)


def print_document(value: Any, *, indent: bool = True) -> None:
    """Print JSON on standard output with all names as they are; on one line without `indent`."""
    option = orjson.OPT_INDENT_2 if indent else 0
    click.echo(visible_json(orjson.dumps(value, option=option, default=str).decode()))


@contextmanager
def report_if_interrupted(done: Callable[[], str]) -> Iterator[None]:
    """On Ctrl-C, print what was done so far on standard error, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        echo(f"\nInterrupted. {done()}", err=True)
        sys.exit(INTERRUPTED)


def styled(status: str, more: str = "") -> Text:
    """Return a status in its colour, followed by `more`."""
    return Text.assemble((visible(status), STATUS_STYLES.get(status, "")), visible(more))


def moment(at: float | None) -> str:
    """Return epoch seconds as date and time in UTC; "" for None and 0."""
    if not at:
        return ""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def say_if_idle(log: LogWriter) -> None:
    """Warn on standard error if no system runs to handle the records, or if some are unsent."""
    if not log.running:
        echo(f"{log.waiting_text} `{suggestion('start')}` handles them.", err=True)
    if log.left:
        echo(
            f"Kafka has not acknowledged {many(log.left, 'record')}: what is left is in the "
            "database, and is sent by the workers, or by the next command that writes.",
            err=True,
        )
