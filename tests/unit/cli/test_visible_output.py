"""Untrusted text does not control the operator's terminal."""

import io
import json

import pytest
from rich.table import Table
from rich.text import Text

from order_sagas.system.cli.output import VisibleConsole
from order_sagas.system.cli.visible_output import visible_output
from order_sagas.system.visible_text import visible, visible_json

HOSTILE = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202eb\u2028c"
SHOWN = r"a\x1b]0;title\x07\x1b[2J\x9b31m\u202eb\u2028c"


@pytest.fixture
def order(system):
    """An order that another service has put on the topic, with an id of its choice."""
    with system:
        value = {"orderId": HOSTILE, "status": "ORDER_CREATED", "customerId": HOSTILE}
        system.put_raw("order-events", json.dumps(value).encode())
        system.run()
    return HOSTILE


@pytest.mark.parametrize(
    "args",
    [("orders",), ("sagas",), ("show", HOSTILE), ("trace", HOSTILE), ("show", "no" + HOSTILE)],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_command_shows_control_characters_as_escapes(run, order, args, form):
    """In tables, in lines, in JSON and in errors."""
    if args[0] == "trace" and form:
        form = ("--format", "json")
    result = run(*args, *form)
    printed = result.stdout + result.stderr

    assert printed == visible(printed)
    assert "title" in printed


def test_json_is_the_same_data(run_json, order):
    """A program reads the id as it is."""
    assert [HOSTILE] == [each["orderId"] for each in run_json("orders")]


def test_a_console_keeps_its_own_styles_and_widths():
    """Only what is in texts is escaped."""
    file = io.StringIO()
    console = VisibleConsole(file=file, force_terminal=True, width=120, color_system="standard")
    table = Table("id", "status")
    table.add_row(HOSTILE, Text.assemble(("STUCK", "red"), HOSTILE))
    console.print(table)
    lines = file.getvalue().splitlines()

    assert SHOWN in file.getvalue()
    assert "\x1b[31mSTUCK" in file.getvalue()
    assert 1 == len([line for line in lines if "STUCK" in line])


def test_streams_are_restored_and_are_streams_otherwise(capsys):
    """What is printed meanwhile is made visible."""
    import sys

    before = sys.stdout
    with visible_output():
        print(HOSTILE)
        assert before.isatty() == sys.stdout.isatty()

    assert before is sys.stdout
    assert SHOWN + "\n" == capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "plain äöü 漢字 שלום\n\tend", "🙂"])
def test_letters_of_any_script_stay(text):
    """So do line feeds and tabs."""
    assert text == visible(text) == visible_json(text)
