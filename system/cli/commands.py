"""All commands by section, with their modules and help lines.

A command's module is imported when it is called or asked for its help, because importing all of
them takes many times as long as importing one.
"""

import gc
from collections import UserDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import click

from order_sagas.system.cli.examples import add_examples

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
COMPLETE = "_ORDER_SAGAS_COMPLETE"
"""The variable by which a shell asks for completion; click derives it from the program's name."""


class Listed(NamedTuple):
    """A command that is not loaded yet."""

    place: str
    """`module:attribute`, relative to this package."""
    line: str
    """The first sentence of its docstring."""


SECTIONS = {
    "Run": {
        "demo": Listed("demo:demo_command", "Run a thousand orders and watch them."),
        "start": Listed("start:start_command", "Run the system until Ctrl-C or SIGTERM."),
        "http": Listed(
            "http:http_group",
            "Serve the HTTP API until Ctrl-C or SIGTERM, on 127.0.0.1:8080 unless --http says "
            "else.",
        ),
        "status": Listed(
            "status:status_command",
            "Show the state of a running system: workers, shards, sagas in flight, rates, last "
            "error.",
        ),
        "stop": Listed(
            "stop:stop_command",
            "Stop the system that runs on this database, as Ctrl-C would: current batches are "
            "finished.",
        ),
        "topics": Listed(
            "topics:topics_group",
            "Create and check the Kafka topics that the system reads and writes.",
        ),
        "settings": Listed(
            "settings:settings_command",
            "Print the settings in force and where each value came from.",
        ),
        "completion": Listed(
            "completion:completion_command",
            "Print the script that completes commands, options, ids and names in SHELL.",
        ),
        "prune": Listed(
            "prune:prune_command",
            "Delete orders that ended long ago, with all that belongs to them.",
        ),
        "database": Listed(
            "database:database_group",
            "Show the schema version of the database, and migrate it.",
        ),
    },
    "Send": {
        "submit": Listed(
            "submit:submit_command",
            "Send the orders in FILE (.jsonl, .csv, or - for standard input).",
        ),
        "stock": Listed("stock:stock_group", "Load stock into warehouses, and show stock levels."),
        "signal": Listed(
            "signal:signal_command",
            "Send the saga SAGA_ID the signal MESSAGE that it waits for.",
        ),
        "inject": Listed(
            "inject:inject_command",
            "Append the record VALUE (JSON, or - for standard input) to TOPIC.",
        ),
    },
    "Inspect": {
        "orders": Listed("orders:orders_command", "List orders, the newest first."),
        "sagas": Listed(
            "sagas:sagas_group",
            "List sagas, the newest first, with the step that each waits for and its deadline.",
        ),
        "schedules": Listed(
            "schedules:schedules_command",
            "List the schedules of the app, with the next due time and what was started last.",
        ),
        "show": Listed(
            "show:show_command",
            "Show ORDER_ID: the order, its payment, reservation and notification, and its saga's "
            "steps.",
        ),
        "messages": Listed(
            "messages:messages_command", "List the messages of the app, or show the fields of one."
        ),
        "trace": Listed(
            "trace:trace_command",
            "Show the history of ORDER_ID: each step, retry and compensation, and its cause.",
        ),
        "audit": Listed(
            "audit:audit_command",
            "Check the consistency of the stored data, whether a system is running or not.",
        ),
    },
    "Repair": {
        "retry": Listed(
            "saga_actions:retry_command",
            "Send the stuck command or compensation of ORDER_ID again, with a fresh set of "
            "attempts.",
        ),
        "skip": Listed(
            "saga_actions:skip_command",
            "Treat the stuck step of ORDER_ID as done, because it was settled by other means.",
        ),
        "resume": Listed("saga_actions:resume_command", "Retry every stuck step of ORDER_ID."),
        "cancel": Listed(
            "saga_actions:cancel_command",
            "Cancel ORDER_ID and compensate its steps, unless it has passed its pivot.",
        ),
        "pause": Listed(
            "pause:pause_command",
            "Pause a service, or the intake of new orders, until `unpause`.",
        ),
        "unpause": Listed(
            "pause:unpause_command",
            "End the pause of a service, or of the intake: deferred messages are handled first.",
        ),
        "deadlines": Listed(
            "deadlines:deadlines_group",
            "Find deadlines that were set while the clock was ahead, and repair them.",
        ),
        "actions": Listed(
            "actions:actions_group",
            "The actions that operators asked for, with their outcomes: list, approve, reject.",
        ),
        "dead-letters": Listed(
            "dead_letters:dead_letters_group",
            "Records that could not be handled: show why, replay or discard them.",
        ),
    },
    "Develop": {
        "new": Listed(
            "new:new_command",
            "Write a project NAME with a saga of its own, tests, and an app that runs at once.",
        ),
        "simulate": Listed(
            "simulate:simulate_command",
            "Run whole systems in virtual time while records, services, workers and databases "
            "fail.",
        ),
    },
}


class CommandsByName(UserDict[str, Any]):
    """Commands by name, each imported at first access. `group` is the one that they belong to."""

    def __init__(self, listed: Mapping[str, Any], group: str = "") -> None:
        self._group = group
        super().__init__(listed)

    def line_of(self, name: str) -> str:
        """Return the help line of a command, without importing it."""
        found = self.data[name]
        if isinstance(found, Listed):
            return found.line
        return str(found.get_short_help_str(limit=200))

    def __getitem__(self, name: str) -> click.Command:
        found = self.data[name]
        if isinstance(found, Listed):
            module, _, attribute = found.place.partition(":")
            with _without_garbage_collection():
                found = getattr(import_module(f"order_sagas.system.cli.{module}"), attribute)
                add_examples(f"{self._group} {name}".strip(), found)
            self.data[name] = found
        command: click.Command = found
        return command


class Group(click.Group):
    """A group whose help shows what each of its commands does in a whole sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; click cuts their sentences at the end of the line."""
        names = self.list_commands(ctx)
        known: Any = self.commands
        if not isinstance(known, CommandsByName):
            known = CommandsByName(known)
        rows = [(name, known.line_of(name)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector, which takes a tenth of the import time and frees nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def all_commands() -> CommandsByName:
    """Return the commands of all sections."""
    return CommandsByName(
        {name: each for names in SECTIONS.values() for name, each in names.items()}
    )
