"""Every command by its purpose: where it is, and the line that the help has for it.

A command is loaded when it is called, or asked for its own help: all of them together take many
times as long as any of them does, for what the others need.
"""

import gc
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import click


class Listed(NamedTuple):
    """A command that is not loaded yet."""

    place: str
    """A module beside this one, and the name of the command in it."""
    line: str
    """What its docstring begins with."""


SECTIONS = {
    "Run": {
        "demo": Listed("demo:demo_command", "Run a thousand orders and watch them."),
        "start": Listed("start:start_command", "Run the system until Ctrl-C or SIGTERM."),
        "http": Listed(
            "http:http_group",
            "Serve orders over HTTP until Ctrl-C or SIGTERM, on 127.0.0.1:8080 unless --http says "
            "else.",
        ),
        "status": Listed(
            "status:status_command",
            "Say how a running system is doing: its workers, shards, sagas in flight, rates, last "
            "error.",
        ),
        "stop": Listed(
            "status:stop_command",
            "Stop the system that runs on this database, as Ctrl-C would: batches in hand are "
            "finished.",
        ),
        "topics": Listed(
            "topics:topics_group", "Make the topics in Kafka that the system reads and writes."
        ),
        "settings": Listed(
            "settings:settings_command",
            "Print the settings in force and where each value came from.",
        ),
        "prune": Listed(
            "prune:prune_command",
            "Delete orders that ended long ago, with all that belongs to them.",
        ),
        "database": Listed(
            "database:database_group",
            "Tell the schema version of the database, and bring it up to date.",
        ),
    },
    "Send": {
        "submit": Listed(
            "submit:submit_command",
            "Send the orders in FILE (.jsonl, .csv, or - for standard input).",
        ),
        "stock": Listed(
            "stock:stock_group", "Load goods into warehouses, and see what is on hand."
        ),
        "inject": Listed(
            "inject:inject_command",
            "Put the record VALUE (JSON, or - for standard input) on TOPIC.",
        ),
    },
    "Look": {
        "orders": Listed("orders:orders_command", "List orders, the newest first."),
        "sagas": Listed(
            "orders:sagas_command",
            "List sagas, the newest first, with the step that each waits for and until when.",
        ),
        "show": Listed(
            "show:show_command",
            "Show ORDER_ID: the order, its payment, reservation and notification, and its saga's "
            "steps.",
        ),
        "trace": Listed(
            "trace:trace_command",
            "Tell the life of ORDER_ID: each step, retry and compensation, and what caused it.",
        ),
        "audit": Listed(
            "audit:audit_command",
            "Check every rule of the books, on any database, whether a system is running or not.",
        ),
    },
    "Put right": {
        "retry": Listed(
            "saga_actions:retry_command",
            "Send the stuck command or compensation of ORDER_ID again, with a fresh set of "
            "attempts.",
        ),
        "skip": Listed(
            "saga_actions:skip_command",
            "Take the stuck step of ORDER_ID as done, because someone has seen to it elsewhere.",
        ),
        "resume": Listed("saga_actions:resume_command", "Retry every stuck step of ORDER_ID."),
        "cancel": Listed(
            "saga_actions:cancel_command",
            "Undo ORDER_ID, if it has not passed the point from which it can't be undone.",
        ),
        "pause": Listed(
            "pause:pause_command",
            "Let a service rest, or the intake of new orders, until `unpause`.",
        ),
        "unpause": Listed(
            "pause:unpause_command",
            "End the pause of a service, or of the intake: what was kept is handled first, in "
            "order.",
        ),
        "dead-letters": Listed(
            "dead_letters:dead_letters_group",
            "Records that nobody could handle: see why, replay them, or discard them.",
        ),
    },
    "Prove": {
        "simulate": Listed(
            "simulate:simulate_command",
            "Run whole systems in virtual time while records, services, workers and databases "
            "fail.",
        ),
    },
}


class CommandsByName(UserDict[str, Any]):
    """Commands by their names, each loaded when it is first asked for."""

    def line_of(self, name: str) -> str:
        """The line that a list of commands has for this one."""
        found = self.data[name]
        if isinstance(found, Listed):
            return found.line
        return str(found.get_short_help_str(limit=200))

    def __getitem__(self, name: str) -> click.Command:
        found = self.data[name]
        if isinstance(found, Listed):
            module, _, attribute = found.place.partition(":")
            with _nothing_is_garbage():
                found = getattr(import_module(f"order_sagas.system.cli.{module}"), attribute)
            self.data[name] = found
        command: click.Command = found
        return command


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """What is loaded stays: to look through it again and again takes a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def all_commands() -> CommandsByName:
    """Those of all sections."""
    return CommandsByName(
        {name: each for names in SECTIONS.values() for name, each in names.items()}
    )
