"""The public names of the package: each can be imported, and stands in every list of them."""

import ast
from pathlib import Path

import pytest

import order_sagas

SOURCE = ast.parse(Path(order_sagas.__file__).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", order_sagas.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    """It is loaded at its first use."""
    assert getattr(order_sagas, name) is not None
    assert name in dir(order_sagas)


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    """They read the imports that never run."""
    imported = {
        (alias.name, node.module)
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("order_sagas.")
        for alias in node.names
    }
    loaded = {(name, f"order_sagas.{module}") for name, module in order_sagas._MODULES.items()}

    assert loaded == imported
    assert {*order_sagas._MODULES} == {*order_sagas.__all__}


def test_another_name_is_an_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Sagga'"):
        _ = order_sagas.Sagga
