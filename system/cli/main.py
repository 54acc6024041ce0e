"""`order-sagas`: the root command, its help, and the conversion of errors to exit codes."""

import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from order_sagas.system.cli.commands import (
    COMPLETE,
    INTERRUPTED,
    SECTIONS,
    CommandsByName,
    all_commands,
)
from order_sagas.system.cli.visible_output import visible_output

FAILED = 1


class Commands(click.Group):
    """The root group: help sorted by purpose, and known errors printed without traceback."""

    # Nothing assigns another mapping.
    commands: CommandsByName  # pyright: ignore[reportIncompatibleVariableOverride]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands by section, without loading them."""
        named = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in named)
        width = max(len(name) for name in self.commands)
        for title, names in {**SECTIONS, "Other": others}.items():
            rows = [(name.ljust(width), self.commands.line_of(name)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with `incomplete`, loading no command."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        named = [CompletionItem(name, help=self.commands.line_of(name)) for name in names]
        return named + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. A known error is printed as one line, and ends the process."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            # Imported here, because the error classes of all layers take long to load.
            from order_sagas.system.cli.error_messages import exit_with

            exit_with(error)
            raise

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit: 0 done, 1 failed, 2 wrong usage or setting, 130 interrupted."""
        extra["standalone_mode"] = False
        os.umask(0o077)  # files are private to the user, unless the setting file_group is set
        if COMPLETE in os.environ:
            from order_sagas.system.cli import completion  # noqa: F401 - its import registers the shells
        with visible_output():
            return self._main(*args, **extra)

    def _main(self, *args: Any, **extra: Any) -> Any:
        try:
            code = super().main(*args, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except OSError as error:  # a help text on a full disk; commands report their own errors
            click.echo(f"Error: standard output: {error.strerror}", err=True)
            sys.exit(FAILED)
        sys.exit(code if isinstance(code, int) else 0)


def _tell_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib import metadata  # here, because it takes longer to load than all of click

    try:
        version = metadata.version("order-sagas")
    except metadata.PackageNotFoundError:
        version = "not installed: run from its source"
    click.echo(f"order-sagas, version {version}")
    ctx.exit()


@click.group(
    cls=Commands,
    commands=all_commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version,
    help="Show the version and exit.",
)  # fmt: skip
def main() -> None:
    """Process every order as a saga with compensations, durably.

    \N{BACKSPACE}
    First steps:
      order-sagas demo                          run a thousand sample orders
      order-sagas start                         run the system; Ctrl-C stops it
      order-sagas stock load stock.csv          load stock: sku,quantity,warehouse
      order-sagas submit orders.jsonl --wait    submit orders, wait for the outcomes
      order-sagas trace ORDER_ID                show the history of one order

    All commands find the database by --database or ORDER_SAGAS_DATABASE, an SQLAlchemy URL. Every
    command but `start` and `demo` works with or without a running system; records that it sends
    wait in the log. `order-sagas settings` lists the settings in force and their sources.

    Exit codes: 0 done, 1 failed or partly refused, 2 wrong usage or setting, 130 interrupted.
    """


if __name__ == "__main__":
    main()
