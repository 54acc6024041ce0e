"""The examples of docs/testing.md do what they say."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


def examples() -> list[pytest.ParameterSet]:
    """Every test in the page's code, each with the code that it stands in."""
    found = []
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        names = re.findall(r"^def (test_\w+)", code, re.MULTILINE)
        assert names, f"an example without a test: {code}"
        found += [pytest.param(code, name, id=name) for name in names]
    return found


@pytest.mark.parametrize(("code", "name"), examples())
def test_an_example_passes(code, name):
    """As it stands on the page."""
    scope: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), scope)

    scope[name]()  # type: ignore[operator]


def test_there_are_three_examples():
    """As the page promises."""
    assert 3 == len({code for code, _ in (param.values for param in examples())})
