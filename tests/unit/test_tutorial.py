"""The blocks of docs/tutorial.md run in their order, and print what stands below them."""

import contextlib
import io
import itertools
import sys
import types
from typing import Any

import pytest
from click.testing import CliRunner

from order_sagas.system.cli.main import main
from tests.support.markdown import ROOT, Block, blocks

PAGE = ROOT / "docs" / "tutorial.md"
STEPS = 10


@pytest.fixture(scope="module")
def scope() -> dict[str, Any]:
    """What the page has defined, after each block has printed what stands below it."""
    scope: dict[str, Any] = {"__name__": "tutorial"}
    printing: Block | None = None
    printed: list[str] = []
    compared = 0
    for block in blocks(PAGE, "python", "text"):
        if block.language == "python":
            assert printing is None, f"{block.name}: what the block above prints is not shown"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), scope)
            printed = [line.rstrip() for line in out.getvalue().splitlines()]
            printing = block
        else:
            assert block.text.splitlines() == printed, block.name
            printing = None
            compared += 1
    assert printing is None
    assert STEPS - 1 == compared  # the last step runs it
    return scope


def test_every_step_of_the_tutorial_prints_what_the_page_shows(scope) -> None:
    """The app grows from block to block, in one namespace, as in a notebook."""
    assert ["rent-bike", "insure", "count-bikes"] == [*scope["APP"].registry.newest]


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        (("sagas", "start", "rent-bike", "--data", '{"orderId": "R-1"}'), "rent-bike/R-1"),
        (("simulate", "--seeds", "5", "--orders", "3", "--jobs", "1"), "No rule was broken."),
        (("audit",), "no violations"),
    ],
)
def test_the_commands_of_the_last_step_run_the_app(
    scope, tmp_path, monkeypatch, command, printed
) -> None:
    """As a module; those that need a running system are run by docs/quickstart.md."""
    module = types.ModuleType("bikes")
    vars(module).update(scope)
    monkeypatch.setitem(sys.modules, "bikes", module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDER_SAGAS_APP", "bikes:APP")
    if command[0] == "audit":  # there has to be a database
        CliRunner().invoke(main, ["sagas", "start", "insure", "--data", '{"orderId": "I-1"}'])

    shown = CliRunner().invoke(main, [*command])

    assert 0 == shown.exit_code, shown.output
    assert printed in shown.stdout
    name = " ".join(itertools.takewhile(lambda word: not word.startswith("-"), command))
    assert f"`order-sagas {name}" in PAGE.read_text()


def test_it_has_ten_steps() -> None:
    """Numbered, as its title says."""
    titles = [line for line in PAGE.read_text().splitlines() if line.startswith("## ")]

    assert [f"## {number}." for number in range(1, STEPS + 1)] == [
        title[: title.index(".") + 1] for title in titles
    ]
