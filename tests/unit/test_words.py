"""Counts in running text."""

import pytest

from order_sagas.actors.words import many
from tests.support.cli import ROOT


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (1, ("saga",), "1 saga"),
        (0, ("saga",), "0 sagas"),
        (2_000, ("order",), "2,000 orders"),
        (2, ("batch", "batches"), "2 batches"),
        (1, ("batch", "batches"), "1 batch"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(count, words, said):
    """Never with a plural in brackets."""
    assert said == many(count, *words)


@pytest.mark.parametrize("layer", ["actors", "bridges", "system"])
def test_no_text_leaves_the_number_to_the_reader(layer):
    """Texts use `many` instead of a plural in brackets."""
    found = [
        str(file.relative_to(ROOT))
        for kind in ("*.py", "*.js")
        for file in sorted((ROOT / layer).rglob(kind))
        if "vendor" not in file.parts and "(s)" in file.read_text(encoding="utf-8")
    ]

    assert [] == found
