"""`order-sagas`: every command, and how errors become one line and an exit code."""

import os
import sys
from importlib import metadata
from typing import Any

import click
import sqlalchemy as sa

from actors.errors import SagaError
from bridges.errors import BridgeError
from system.cli.audit import audit_command
from system.cli.dead_letters import dead_letters_group
from system.cli.demo import demo_command
from system.cli.http import http_group
from system.cli.inject import inject_command
from system.cli.operate import cancel_command, resume_command, retry_command, skip_command
from system.cli.orders import orders_command, sagas_command
from system.cli.pause import pause_command, unpause_command
from system.cli.prune import prune_command
from system.cli.settings import settings_command
from system.cli.show import show_command
from system.cli.simulate import simulate_command
from system.cli.start import start_command
from system.cli.status import status_command, stop_command
from system.cli.stock import stock_group
from system.cli.submit import submit_command
from system.cli.topics import topics_group
from system.cli.trace import trace_command
from system.settings import SettingError

FAILED, USAGE, INTERRUPTED = 1, 2, 130

SECTIONS = {
    "Run": ("demo", "start", "http", "status", "stop", "topics", "settings", "prune"),
    "Send": ("submit", "stock", "inject"),
    "Look": ("orders", "sagas", "show", "trace", "audit"),
    "Put right": ("retry", "skip", "resume", "cancel", "pause", "unpause", "dead-letters"),
    "Prove": ("simulate",),
}


class Commands(click.Group):
    """A group whose help is sorted by purpose, and whose errors never are tracebacks."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        named = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in named)
        width = max(len(name) for name in self.commands)
        for title, names in {**SECTIONS, "Other": others}.items():
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit=200))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit: 0 done, 1 failed, 2 wrong usage or setting, 130 interrupted."""
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except SettingError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(USAGE)
        except (BridgeError, SagaError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(FAILED)
        except sa.exc.DBAPIError as error:
            click.echo(f"Error: the database: {error.orig}", err=True)
            sys.exit(FAILED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except OSError as error:
            click.echo(f"Error: {error.strerror or error}: {error.filename or ''}", err=True)
            sys.exit(FAILED)
        sys.exit(code if isinstance(code, int) else 0)


def _version() -> str:
    try:
        return metadata.version("order-sagas")
    except metadata.PackageNotFoundError:
        return "not installed: run from its source"


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(_version(), prog_name="order-sagas")
def main() -> None:
    """Run every order as a saga: each step has its undo, and nothing is lost in between.

    \b
    First steps:
      order-sagas demo                          a thousand orders, live
      order-sagas start                         run the system; Ctrl-C stops it
      order-sagas stock load stock.csv          goods: sku,quantity,warehouse
      order-sagas submit orders.jsonl --wait    orders, and what became of them
      order-sagas trace ORDER_ID                the life of one order

    All commands find the database by --database or ORDER_SAGAS_DATABASE, an SQLAlchemy URL. Every
    command but `start` and `demo` works with or without a running system; what it sends waits in
    the log. `order-sagas settings` tells what is set, and where.

    Exit codes: 0 done, 1 failed or partly refused, 2 wrong usage or setting, 130 interrupted.
    """


for _command in (
    start_command,
    http_group,
    status_command,
    stop_command,
    demo_command,
    topics_group,
    submit_command,
    stock_group,
    orders_command,
    sagas_command,
    show_command,
    trace_command,
    audit_command,
    inject_command,
    retry_command,
    skip_command,
    resume_command,
    cancel_command,
    pause_command,
    unpause_command,
    dead_letters_group,
    settings_command,
    prune_command,
    simulate_command,
):
    main.add_command(_command)

if __name__ == "__main__":
    main()
