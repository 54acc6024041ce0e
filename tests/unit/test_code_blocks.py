"""Every code block of the README and of docs/ is what it claims to be."""

import json
import tomllib

import pytest

from order_sagas.bridges.intake.order_schema import read_order
from tests.support.markdown import PAGES, ROOT, Block, blocks, outside_of_blocks
from tests.support.pasted import commands

LANGUAGES = {"console", "json", "mermaid", "python", "sql", "text", "toml"}
ALL = [block for page in PAGES for block in blocks(page)]


def every(*languages: str) -> pytest.MarkDecorator:
    """Each block of these languages, by the place where it stands."""
    found = [pytest.param(block, id=block.name) for block in ALL if block.language in languages]
    return pytest.mark.parametrize("block", found)


def test_every_block_says_what_it_holds():
    """A block without a language would not be checked."""
    assert LANGUAGES >= {block.language for block in ALL}
    assert [] == [
        f"{page.name}: {line}"
        for page in PAGES
        for line in outside_of_blocks(page).splitlines()
        if line.startswith(("    $ ", "    order-sagas ", "    def "))
    ], "indented, where no test sees it"


@every("json", "toml")
def test_data_can_be_read(block: Block):
    """Unchanged; an order as an order."""
    fields = (json if block.language == "json" else tomllib).loads(block.text)
    if "orderId" in fields:
        assert read_order(block.text).order_id == fields["orderId"]


WHOLE = {"tutorial.md"}
"""Pages whose blocks go on with what the blocks above them define: tests/unit/test_tutorial.py."""


@every("python")
def test_python_runs(block: Block):
    """What is imported and defined there; an excerpt stands word by word in the file it is of.

    The tests that a block defines are run by tests/unit/harness/test_documentation.py.
    """
    if block.page.name in WHOLE:
        compile(block.text, block.name, "exec")
        return
    if block.comment.startswith("excerpt of "):
        whole = (ROOT / block.comment.removeprefix("excerpt of ")).read_text(encoding="utf-8")
        assert block.text in whole
    else:
        exec(compile(block.text, block.name, "exec"), {"__name__": "page"})


@every("console")
def test_a_console_block_has_commands_and_what_they_print(block: Block):
    """And nothing that is neither. They are run by tests/integration/docs."""
    assert commands(block)
    assert all(word not in block.text for word in ("#  until", "# Until", "# again"))
