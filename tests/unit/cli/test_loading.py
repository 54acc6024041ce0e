"""A command loads what it needs, and nothing that only others need: it shall answer at once."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from system.cli.commands import SECTIONS, all_commands
from system.cli.main import main

ROOT = Path(__file__).parents[3]
LINES = {name: each.line for names in SECTIONS.values() for name, each in names.items()}
NEVER = ("hypothesis", "pytest", "system.harness", "tests")
SLOW = ("kafka", "sqlalchemy", "structlog", "thespian", "rich", "starlette", "uvicorn", "msgspec")
PROGRAM = """
import atexit, sys
from system.cli.main import main

atexit.register(lambda: print("", *sys.modules, file=sys.stderr))
sys.argv[0] = "order-sagas"
main()
"""


@pytest.fixture
def loaded(system):
    """Runs a command in a process of its own; answers its exit code, and what it had loaded."""

    def run(*args, **variables):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *args],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        modules = done.stderr.splitlines()[-1].split()
        return done, {".".join(each.split(".")[:n]) for each in modules for n in (1, 2, 3)}

    return run


@pytest.mark.parametrize(
    ("args", "code"), [((), 2), (("--help",), 0), (("--version",), 0), (("demmo",), 2)]
)
def test_what_needs_no_command_loads_none(loaded, args, code):
    """Not one module of a command, nor what it would need."""
    done, modules = loaded(*args)

    assert code == done.returncode
    assert set() == modules & {*NEVER, *SLOW}
    assert {"system", "system.cli", "system.cli.main", "system.cli.commands"} == {
        name for name in modules if name.split(".")[0] in ("actors", "bridges", "system")
    }


def test_completing_a_command_loads_none(loaded):
    """Whoever presses TAB waits for it."""
    done, modules = loaded(
        _ORDER_SAGAS_COMPLETE="zsh_complete", COMP_WORDS="order-sagas pa", COMP_CWORD="1"
    )

    assert ["plain", "pause", LINES["pause"]] == done.stdout.split("\n")[:3]
    assert set() == modules & {*NEVER, *SLOW, "system.cli.pause"}


def test_a_command_that_is_mistyped_is_told_which_one_is_meant(run):
    """As click does it for commands that are there."""
    assert "Did you mean 'demo'?" in run("demmo").stderr


@pytest.mark.parametrize("name", LINES)
def test_the_list_says_of_a_command_what_it_says_of_itself(name):
    """The name, and the line that stands beside it so that the list needs no command."""
    command = main.commands[name]

    assert (name, LINES[name]) == (command.name, command.get_short_help_str(limit=200))


def test_a_command_is_loaded_once():
    """Whoever asks again gets the same one."""
    commands = all_commands()

    assert isinstance(commands["orders"], click.Command)
    assert commands["orders"] is commands["orders"]
