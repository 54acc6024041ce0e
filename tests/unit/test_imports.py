"""The layers import one way: tests -> system -> bridges -> actors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BELOW = {
    "actors": {"actors"},
    "bridges": {"actors", "bridges"},
    "system": {"actors", "bridges", "system"},
    "examples": {"actors", "bridges", "system", "examples"},
}
OURS = {*BELOW, "benchmarks", "tests"}
OUTSIDE = {"kafka", "sqlalchemy", "sqlite3", "psycopg", "socket", "threading", "time"}
"""What the pure part of the business must not know of."""


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides where it leads"
            assert node.module
            yield node.module


@pytest.mark.parametrize("layer", BELOW)
def test_a_layer_imports_only_what_lies_below_it(layer) -> None:
    """Nothing points the other way."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / layer).rglob("*.py"))
        for name in imported(file)
        if name.split(".")[0] in OURS - BELOW[layer]
    ]

    assert [] == wrong


def test_a_saga_decides_without_the_outside_world() -> None:
    """Progress is a pure function: no log, no database, no actor, and no clock of its own."""
    pure = (
        "turn",
        "events",
        "forward",
        "backward",
        "advance",
        "decision",
        "definition",
        "progress",
    )
    wrong = [
        f"{name} imports {module}"
        for name in pure
        for module in imported(ROOT / "actors" / "sagas" / f"{name}.py")
        if module.split(".")[0] in OUTSIDE | {"thespian"}
    ]

    assert [] == wrong
