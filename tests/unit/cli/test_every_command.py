"""Checks of the help and the output of every command."""

import os
import re
import shlex
import socket
import subprocess

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from order_sagas.bridges.intake.intake import CHUNK, Intake
from order_sagas.system.cli.examples import EXAMPLES
from order_sagas.system.cli.main import main
from tests.support.cli import COMMAND
from tests.unit.cli.test_bad_arguments import every
from tests.unit.cli.test_public_json import READING

EXAMPLE = re.compile(r"^ +(?:source <\()?order-sagas ([^<>|)\n]+)", re.MULTILINE)
"""A line of a help text that calls a command; what the shell would do with its output is left."""
NO_TABLE = {"database version", "dead-letters show", "topics check"}
"""Reading commands that print sentences, a record as it is, or that need a Kafka."""
ROW_OF_A = {"orders": "A", "sagas": "place-order", "stock show": "PEN", "actions list": "ada"}
"""A word that a table has to show."""


def called_by(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that is called by these words, and what is left for it."""
    command: click.Command = main
    rest = [*words]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command = command.commands[rest.pop(0)]
    return command, rest


@every()
def test_help_explains_each_option_and_has_an_example(run, monkeypatch, words, command) -> None:
    """On 80 columns; what the examples call is there."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(*words, "--help").stdout

    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [] == [each.name for each in options if not each.help]
    assert [] == [line for line in shown.splitlines() if len(line) > 80]
    called = [shlex.split(line) for line in EXAMPLE.findall(shown)]
    assert [*words] in [line[: len(words)] for line in called]
    for line in called:
        target, rest = called_by(line)
        target.make_parser(click.Context(target)).parse_args(rest)  # raises UsageError


def test_examples_are_those_of_commands() -> None:
    """A command that was renamed would lose its own."""
    for name in EXAMPLES:
        assert [] == called_by(name.split())[1]


@pytest.mark.parametrize("width", [36, 60, 80, 100])
@pytest.mark.parametrize("name", sorted(READING.keys() - NO_TABLE))
def test_no_line_of_a_list_is_wider_than_the_terminal(busy, run, monkeypatch, name, width) -> None:
    """And none is cut: a table becomes narrower, and at last a list of fields."""
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run(*name.split(), *READING[name]).stdout

    wide = [line for line in shown.splitlines() if cell_len(line) > width]
    assert [] == [line for line in wide if "order-sagas " not in line]  # a command to copy
    assert ROW_OF_A.get(name, "") in shown


def test_characters_outside_the_encoding_are_shown_as_escapes(busy) -> None:
    """As in a cron job without a locale; nothing is cut off."""
    done = CliRunner(charset="ascii").invoke(main, ["show", "A"])

    assert (0, "") == (done.exit_code, done.stderr)
    assert r"A  customer" in done.stdout
    assert r"\xb7 warehouse main" in done.stdout
    assert "notify customer" in done.stdout


@pytest.mark.parametrize("args", [("--help",), ("orders",)], ids=" ".join)
def test_a_full_disk_is_one_line(busy, args) -> None:
    """Of a command, and of a help text."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert "standard output" in done.stderr


def test_a_closed_pipe_prints_no_error(busy) -> None:
    """As with `| head -1`."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            [*COMMAND, "orders"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (1, "") == (done.returncode, done.stderr)


def test_an_interrupted_submission_reports_what_is_stored(system, run, monkeypatch) -> None:
    """And how to continue."""
    take = Intake.take
    calls: list[object] = []

    def interrupted(self, orders):
        if calls:
            raise KeyboardInterrupt
        calls.append(orders)
        return take(self, orders)

    monkeypatch.setattr(Intake, "take", interrupted)
    orders = "".join(
        f'{{"orderId": "A-{n}", "customerId": "c", "currency": "EUR", "lines": []}}\n'
        for n in range(CHUNK + 1)
    )
    done = run("submit", "-", "--format", "jsonl", stdin=orders)

    assert 130 == done.exit_code
    assert "Interrupted. 1,000 orders submitted. To submit the rest" in done.stderr
    assert CHUNK == next(system.log.db.rows("SELECT count(*) FROM order_keys", ()))[0]


def test_a_submission_interrupted_before_its_first_order_says_so(run, monkeypatch) -> None:
    """Standard input may have orders that were not read: nothing is said of what is in it."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("order_sagas.system.cli.submit.read_jsonl", interrupted)
    done = run("submit", "-", "--format", "jsonl")

    assert 130 == done.exit_code
    assert done.stderr.endswith("\nInterrupted. No order was submitted.\n")


def test_a_demonstration_checks_its_address_first(run, tmp_path) -> None:
    """Not after a thousand orders."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        done = run("demo", "--http", place, "--keep", tmp_path / "demo")

    assert 1 == done.exit_code
    assert f"can't listen on {place}: Address already in use; name another" in done.stderr
    assert not (tmp_path / "demo").exists()
