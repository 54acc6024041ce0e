"""The examples of docs/testing.md pass."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


def examples() -> list[pytest.ParameterSet]:
    """Every test in the page's code, with the code block that contains it."""
    found = []
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        names = re.findall(r"^def (test_\w+)", code, re.MULTILINE)
        assert names, f"an example without a test: {code}"
        found += [pytest.param(code, name, id=name) for name in names]
    return found


@pytest.mark.parametrize(("code", "name"), examples())
def test_an_example_passes(code, name, request):
    """Unchanged, with the fixtures that it requests."""
    scope: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), scope)
    asked = inspect.signature(scope[name]).parameters

    scope[name](**{fixture: request.getfixturevalue(fixture) for fixture in asked})
