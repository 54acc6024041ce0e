"""The layers import one way: tests -> system -> bridges -> actors."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("actors", "bridges", "system")
PACKAGE = "order_sagas"
BELOW = {
    "actors": {"actors"},
    "bridges": {"actors", "bridges"},
    "system": {"actors", "bridges", "system"},
    "examples": {"", "actors", "bridges", "system", "examples"},
}
"""The layers that each may import; "" is the package itself, with the public names."""
REST = {"examples", "benchmarks", "tests"}
OUTSIDE = {"kafka", "sqlalchemy", "sqlite3", "psycopg", "socket", "threading", "time"}
"""Modules that the pure part of the business must not import."""


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides where it leads"
            assert node.module
            yield node.module


def imported_at_load(body: list[ast.stmt], modules: Collection[str]) -> Iterator[str]:
    """Every module imported at the top level of a file, under TYPE_CHECKING too."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else node.module or "" for name in names)
        elif isinstance(node, ast.If):
            yield from imported_at_load(node.body + node.orelse, modules)
        elif isinstance(node, ast.Try | ast.With):
            yield from imported_at_load(node.body, modules)


def module_name(file: Path) -> str:
    """The name under which a file of a layer is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join((PACKAGE, *parts)).removesuffix(".__init__")


def layer_of(module: str) -> str | None:
    """The layer, or the folder of this repository, that a module is in; None if in neither."""
    first, _, rest = module.partition(".")
    if first == PACKAGE:
        return rest.partition(".")[0]
    return first if first in REST else None


def test_every_folder_with_modules_is_a_package() -> None:
    """A folder without `__init__.py` works in the repository, and is left out of the wheel."""
    folders = {file.parent for layer in LAYERS for file in (ROOT / layer).rglob("*.py")}

    assert [] == [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_modules_are_imported_by_the_name_that_is_installed() -> None:
    """`actors.x` would be a second copy of `order_sagas.actors.x`, and in no wheel."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for folder in (*LAYERS, *REST)
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "golden" not in file.parts  # scripts for the code of former commits
        for name in imported(file)
        if name.split(".")[0] in LAYERS
    ]

    assert [] == wrong


@pytest.mark.parametrize("layer", BELOW)
def test_a_layer_imports_only_what_lies_below_it(layer) -> None:
    """Nothing points the other way."""
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / layer).rglob("*.py"))
        for name in imported(file)
        if layer_of(name) not in {None, *BELOW[layer]}
    ]

    assert [] == wrong


@pytest.mark.parametrize("layer", LAYERS)
def test_no_two_modules_of_a_layer_import_each_other(layer) -> None:
    """At import time, or for annotations."""
    modules = {module_name(file): file for file in (ROOT / layer).rglob("*.py")}
    imports = {
        name: set(imported_at_load(ast.parse(file.read_text(encoding="utf-8")).body, modules))
        & modules.keys() - {name}
        for name, file in modules.items()
    }
    mutual = {
        frozenset({name, other})
        for name, others in imports.items()
        for other in others
        if name in imports[other]
    }

    assert set() == mutual


def test_a_saga_decides_without_the_outside_world() -> None:
    """Progress is a pure function: no log, no database, no actor, and no clock of its own."""
    pure = (
        "transition",
        "replies",
        "forward",
        "compensation",
        "advance",
        "effects",
        "definition",
        "places",
        "state",
        "waits",
    )
    wrong = [
        f"{name} imports {module}"
        for name in pure
        for module in imported(ROOT / "actors" / "sagas" / f"{name}.py")
        if module.split(".")[0] in OUTSIDE | {"thespian"}
    ]

    assert [] == wrong
