"""The tests that docs/faults.md names exist, and every row names one."""

import re

import pytest

from tests.support.markdown import ROOT

ROWS = [
    line
    for line in (ROOT / "docs/faults.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| what happens")
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_a_row_names_tests_that_exist(row: str) -> None:
    """Each as the path of a file and a function in it."""
    found = NAMED.findall(row.split("|")[4])

    assert found
    for path, name in found:
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), name
