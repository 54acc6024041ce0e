"""`order-sagas trace`: the life of one order, from the logs."""

import click

from order_sagas.actors.words import many
from order_sagas.system.cli import complete
from order_sagas.system.cli.output import console, echo, print_document
from order_sagas.system.logs import log_files
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.trace import (
    Timeline,
    read_lines,
    render_mermaid,
    render_text,
    timeline_fields,
)


@click.command("trace")
@click.argument("order_id", shell_complete=complete.order_ids)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "mermaid"]),
    default="text",
    show_default=True,
    help="Text, JSON, or a Mermaid sequence diagram.",
)
@click.option("--json", "form", flag_value="json", help="Print JSON: the same as --format json.")
@settings_options("database", "log_dir")
def trace_command(order_id: str, form: str, settings: Settings) -> None:
    """Show the history of ORDER_ID: each step, retry and compensation, and its cause.

    The id of a saga, NAME/ORDER_ID, stands for its order. Reads current and rotated log files; no
    system needs to be running.
    """
    timeline = _timeline(order_id, settings)
    of_saga = order_id.partition("/")[2]
    if timeline is None and of_saga:
        timeline = _timeline(of_saga, settings)
        if timeline and order_id not in [saga.saga_id for saga in timeline.sagas]:
            timeline = None
    if timeline is None:
        raise click.ClickException(_nothing_found(order_id, settings))
    if form == "json":
        print_document(timeline_fields(timeline))
    elif form == "mermaid":
        echo(render_mermaid(timeline), nl=False)
    else:
        render_text(timeline, console(width=120))


def _timeline(order_id: str, settings: Settings) -> Timeline | None:
    found = Timeline.from_lines(order_id, read_lines(settings.log_dir, order_id))
    return found if found.sagas or found.others else None


def _nothing_found(order_id: str, settings: Settings) -> str:
    directory = settings.log_dir.absolute()
    count = sum(len(files) for files in log_files(directory).values())
    if not directory.is_dir():
        found = "there is no such directory. Is --log-dir or --database right?"
    elif not count:
        found = "there are no log files there yet. Is --log-dir or --database right?"
    else:
        found = (
            f"{many(count, 'log file')} there, and no mention of it. The id may be mistyped, its "
            "lines may have been rotated away (log_backups), or log_level may be above info."
        )
    return f"No trace of order {order_id}. Looked in {directory}: {found}"
