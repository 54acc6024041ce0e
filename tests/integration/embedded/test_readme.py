"""Facts in the README are correct."""

import re
from pathlib import Path

import pytest

from order_sagas.actors import place_order
from order_sagas.system.cli.main import main
from order_sagas.system.demo import figures_of, run_demo

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)


@pytest.mark.processes
def test_the_counts_of_the_demo_are_right(tmp_path):
    """They depend only on the seed."""
    shown = next(text for kind, text in BLOCKS if kind == "text")
    promised = {
        name.removeprefix("cancelled, "): int(count)
        for count, name in re.findall(r"^ +(\d+)  (completed|cancelled, \w+)", shown, re.M)
    }
    demo = run_demo(tmp_path, 1000, 7, lambda _: None)

    assert promised == figures_of(demo.settings.database).counts()


def test_the_saga_definition_is_that_of_the_code():
    """It is the same text."""
    shown = next(text for kind, text in BLOCKS if text.startswith("PLACE_ORDER"))

    assert shown in Path(place_order.__file__).read_text(encoding="utf-8")


def test_every_command_that_it_names_exists():
    """With every subcommand."""
    for line in re.findall(r"(?:^\$ |`)order-sagas ([a-z-]+(?: [a-z-]+)?)", README, re.M):
        name, *rest = line.split()
        command = main.commands.get(name)
        assert command, line
        if rest and not rest[0].startswith("-") and hasattr(command, "commands"):
            assert rest[0] in command.commands, line
