"""The page for the person on call names commands and options that exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from system.cli.main import main

PAGE = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", re.findall(r"^\$ order-sagas (.*)$", PAGE, re.M))
def test_every_command_of_the_page_can_be_typed(line):
    """Parsed as it stands there; nothing is done."""
    args = shlex.split(line, comments=True)
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[args.pop(0)]

    assert command.make_context(command.name, args)
