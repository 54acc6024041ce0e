"""Untrusted text on a terminal is shown with escapes; words stay whole at 80 columns."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from order_sagas.system.cli.output import console, plain_table
from order_sagas.system.visible_text import visible, visible_json
from tests.support.embedded import an_order

ROOT = Path(__file__).parents[3]
EVIL = "a\x1b]0;title\x07\x1b[2J\x9b31mb\u202ec"
SHOWN = r"a\x1b]0;title\x07\x1b[2J\x9b31mb\u202ec"
OBEYED = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
STYLE = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|1A|2K)")
"""Sequences of the command itself: colours, and a line of progress that is drawn again."""


def on_a_terminal(*args: str) -> str:
    """Run a command on a pseudo-terminal of 80 columns; return what the terminal gets."""
    mine, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80"}
    program = [sys.executable, "-m", "order_sagas.system.cli.main", *args]
    running = subprocess.Popen(program, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(mine, 65536):
            said += part
    except OSError:
        pass  # the end of a pseudo-terminal on Linux
    os.close(mine)
    running.wait(60)
    return said.decode()


@pytest.fixture
def evil(system):
    """A saga, a pause and a dead letter whose texts have control characters."""
    system.start()
    system.put(an_order(EVIL, customer_id=EVIL))
    system.log.append(system.log.outgoing("order-events", EVIL, EVIL.encode()))
    system.run()
    return system


@pytest.mark.parametrize(
    "args",
    [
        ("orders",), ("sagas",), ("show", EVIL), ("show", "no" + EVIL), ("dead-letters", "list"),
        ("dead-letters", "show", "NUMBER"), ("status",), ("pause", EVIL, "--why", "x"),
        ("orders", "--json"), ("show", EVIL, "--json"), ("audit",), ("trace", EVIL),
    ],
    ids=lambda args: " ".join(args[:2]).replace(EVIL, "EVIL"),
)  # fmt: skip
def test_no_text_of_others_reaches_the_terminal_as_a_command(evil, run, run_json, args):
    """Neither ESC nor C1 nor a change of direction, in a list, in JSON or in an error."""
    if args[0] == "status":
        run("pause", "stock", "--why", EVIL)
    number = str(run_json("dead-letters", "list")[0]["number"])
    said = on_a_terminal(*[number if each == "NUMBER" else each for each in args])
    without_style = STYLE.sub("", said).replace("\r\n", "\n")

    assert "" == "".join(OBEYED.findall(without_style))
    assert "\x1b" not in without_style
    assert "Traceback" not in said


def test_an_id_is_shown_with_its_control_characters(evil, run) -> None:
    """So that an operator sees what is wrong with it."""
    assert SHOWN in run("orders").stdout


def test_json_is_the_same_text_for_a_program(evil, run_json) -> None:
    """The escapes are those of JSON."""
    assert [EVIL] == [row["orderId"] for row in run_json("orders")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢 🙂\n\tindented", "plain ä 漢 🙂\n\tindented"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x7f\x85\x9b", r"\x7f\x85\x9b"),
        ("\u202e\u2066\u2028\u200f", r"\u202e\u2066\u2028\u200f"),
        ("A\u200b-1\ufeff", r"A\u200b-1\ufeff"),
        ("\udcff\r", r"\udcff\x0d"),
    ],
)
def test_control_characters_are_shown(text, shown):
    """Letters of all scripts, line feeds and tabs stay."""
    assert shown == visible(text)


def test_json_escapes_what_orjson_does_not() -> None:
    """C1, DEL and directions are allowed in JSON, and obeyed by a terminal."""
    assert r'"\u009b\u202e\u007f"' == visible_json('"\x9b\u202e\x7f"')


def test_every_command_prints_through_the_functions_that_show_control_characters() -> None:
    """In `click.echo`, only texts of the program itself."""
    allowed = {
        "new.py",
        "output.py",
        "main.py",
        "completion.py",
        "http.py",
        "start.py",
        "settings.py",
        "error_messages.py",
    }
    folder = ROOT / "system" / "cli"
    found = {each.name for each in folder.glob("*.py") if "click.echo" in each.read_text()}

    assert found <= allowed


@pytest.mark.parametrize("width", [30, *range(60, 120)])
def test_a_table_breaks_no_word(width, monkeypatch, capsys):
    """Where its columns do not fit, each row is a list."""
    monkeypatch.setenv("COLUMNS", str(width))
    names = ("worker", "process", "shards", "in flight", "orders/s", "restarts", "reason")
    table = plain_table(*names, numbers=names[3:6])
    table.add_row("1", "12345", "0-15", "1,234", "3,020", "0", "no answer of the provider")
    table.add_row("2", "12346", "16-31", "1,233", "3,021", "0", Text("out_of_stock"))
    console().print(table)
    said = capsys.readouterr().out

    words = {
        *[
            "worker",
            "process",
            "shards",
            "orders/s",
            "restarts",
            "reason",
            "provider",
            "out_of_stock",
        ]
    }
    assert words <= {*said.split()}
    assert all(len(line) <= width for line in said.splitlines())


def test_an_id_that_is_no_text_is_told_without_a_traceback(system, run) -> None:
    """A shell may pass any bytes."""
    system.start()
    done = run("show", "a\udcff")

    assert 1 == done.exit_code
    assert "Error: not UTF-8: a\\udcff\n" == done.stderr


def test_names_of_messages_and_topics_stay_whole_at_80_columns(run, monkeypatch) -> None:
    """They are what is copied into the next command."""
    monkeypatch.setenv("COLUMNS", "80")
    words = {word.rstrip(",") for word in run("messages").stdout.split()}

    assert {"STOCK_RESERVATION_FAILED", "notification-events", "operator-commands"} <= words


@pytest.mark.parametrize("args", ["--help", "status --json"])
def test_a_closed_standard_output_is_no_traceback(system, args) -> None:
    """As of a job whose output nobody wants."""
    system.start()
    closed = f"exec {sys.executable} -m order_sagas.system.cli.main {args} >&-"
    done = subprocess.run(
        ["sh", "-c", closed],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "Traceback" not in done.stderr
