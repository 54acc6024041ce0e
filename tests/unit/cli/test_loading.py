"""A command loads only the modules that it needs, so that it starts quickly."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from order_sagas.system.cli.commands import SECTIONS, all_commands
from order_sagas.system.cli.main import main

ROOT = Path(__file__).parents[3]
LINES = {name: each.line for names in SECTIONS.values() for name, each in names.items()}
GROUP: Any = main.commands["sagas"]
SAGAS = {name: GROUP.commands.line_of(name) for name in ("early", "locks", "migrate")}
NEVER = ("hypothesis", "pytest", "order_sagas.system.harness", "tests")
SLOW = ("kafka", "sqlalchemy", "structlog", "thespian", "rich", "starlette", "uvicorn", "msgspec")
SYSTEM = (
    "kafka", "structlog", "starlette", "uvicorn", "sqlalchemy.dialects.postgresql",
    "order_sagas.bridges.processor.processor", "order_sagas.system.bootstrap",
)  # fmt: skip
"""Modules that only a running system needs, or only one on Kafka."""
PROGRAM = """
import atexit, sys
from order_sagas.system.cli.main import main

atexit.register(lambda: print("", *sys.modules, file=sys.stderr))
sys.argv[0] = "order-sagas"
main()
"""


@pytest.fixture
def loaded(system):
    """Run a command in a separate process; return its exit code and loaded modules."""

    def run(*args, **variables):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *args],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        modules = done.stderr.splitlines()[-1].split()
        return done, {".".join(each.split(".")[:n]) for each in modules for n in (1, 2, 3, 4)}

    return run


@pytest.mark.parametrize(
    ("args", "code"), [((), 2), (("--help",), 0), (("--version",), 0), (("demmo",), 2)]
)
def test_help_and_version_load_no_command(loaded, args, code):
    """No module of a command, and nothing that commands need."""
    done, modules = loaded(*args)

    assert code == done.returncode
    assert set() == modules & {*NEVER, *SLOW}
    assert {
        "order_sagas",
        "order_sagas.system",
        "order_sagas.system.cli",
        "order_sagas.system.cli.main",
        "order_sagas.system.cli.commands",
        "order_sagas.system.cli.examples",
        "order_sagas.system.cli.visible_output",
        "order_sagas.system.visible_text",
    } == {name for name in modules if name.split(".")[0] == "order_sagas"}


def test_a_system_on_the_embedded_log_does_not_load_kafka():
    """So that a long-running system does not hold Kafka's client in memory."""
    program = (
        "import sys, order_sagas.system.bootstrap, order_sagas.system.cli.start, "
        "order_sagas.system.http; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "order_sagas.bridges.processor.embedded" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.split(".")[0] == "kafka"]


def test_a_command_on_kafka_does_not_load_the_runtime(loaded):
    """It writes and reads topics; the bridge and the actors are the workers'."""
    done, modules = loaded("dead-letters", "list", "--kafka", "127.0.0.1:1")

    assert (1, True) == (done.returncode, "No Kafka broker answers" in done.stderr)
    assert "kafka" in modules
    assert set() == modules & {
        *NEVER,
        "order_sagas.bridges.processor.processor",
        "order_sagas.system.bootstrap",
        "starlette",
    }


def test_completing_a_command_loads_none(loaded):
    """Because the user waits for it."""
    done, modules = loaded(
        _ORDER_SAGAS_COMPLETE="zsh_complete", COMP_WORDS="order-sagas pa", COMP_CWORD="1"
    )

    assert ["plain", "pause", LINES["pause"]] == done.stdout.split("\n")[:3]
    assert set() == modules & {*NEVER, *SLOW, "order_sagas.system.cli.pause"}


@pytest.mark.parametrize(
    "args",
    [
        ("status",),
        ("orders",),
        ("show", "A-1"),
        ("submit", "-", "--format", "jsonl"),
        ("inject", "order-events", '{"orderId": "A-1", "status": "ORDER_CREATED"}'),
        ("cancel", "A-1", "--why", "asked"),
        ("pause", "stock", "--why", "counting"),
        ("dead-letters", "list"),
        ("stock", "show"),
        ("audit",),
    ],
    ids=lambda args: args[0],
)
def test_a_command_on_the_embedded_log_loads_neither_kafka_nor_the_runtime(loaded, args):
    """The log is a table of the database: a command has to read and write it, and no more."""
    done, modules = loaded(*args)

    assert "Traceback" not in done.stderr
    assert "there is no database" not in done.stderr, done.stderr
    assert "sqlalchemy" in modules
    assert set() == modules & {*NEVER, *SYSTEM}


def test_a_mistyped_command_gets_a_suggestion(run):
    """As click does for loaded commands."""
    assert "Did you mean 'demo'?" in run("demmo").stderr


HELP = """
import importlib, sys
from order_sagas.system.cli import commands

for names in commands.SECTIONS.values():
    for name, listed in names.items():
        if name not in ("demo", "start", "simulate", "topics"):
            importlib.import_module("order_sagas.system.cli." + listed.place.partition(":")[0])
commands.all_commands()["sagas"].get_help(commands.click.Context(commands.click.Group()))
print(*sys.modules)
"""


def test_the_help_of_no_command_loads_a_system_to_run(loaded):
    """But of those that run one, or are for Kafka: these take longest to load."""
    done = subprocess.run(
        [sys.executable, "-c", HELP],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert set() == {*done.stdout.split()} & {
        "kafka", "starlette", "uvicorn", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql",
        "order_sagas.bridges.processor.processor", "order_sagas.system.bootstrap",
        "order_sagas.system.harness", "order_sagas.system.cli.version_moves",
    }  # fmt: skip


@pytest.mark.parametrize("name", SAGAS)
def test_the_list_of_a_group_says_of_a_command_what_it_says_of_itself(name):
    """The commands that are not loaded with their group."""
    assert SAGAS[name] == GROUP.commands[name].get_short_help_str(limit=200)


@pytest.mark.parametrize("name", LINES)
def test_the_list_has_the_help_line_of_each_command(name):
    """The name, and the line that stands beside it so that the list needs no command."""
    command = main.commands[name]

    assert (name, LINES[name]) == (command.name, command.get_short_help_str(limit=200))


def test_a_command_is_loaded_once():
    """A second access returns the same object."""
    commands = all_commands()

    assert isinstance(commands["orders"], click.Command)
    assert commands["orders"] is commands["orders"]
