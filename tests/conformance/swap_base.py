"""A pytest plugin that runs Thespian's own suite on our base in place of its simple one."""

from typing import Any

import pytest
from thespian.system import simpleSystemBase

from system.runtime import EventLoopBase


class ConformingBase(EventLoopBase):
    """Our base, constructed as Thespian constructs the bases that it finds by name."""

    def __init__(self, system: Any, logDefs: Any = None) -> None:
        super().__init__(capabilities=system.capabilities)


def pytest_configure(config: pytest.Config) -> None:
    """Put our base where Thespian looks for its own."""
    simpleSystemBase.ActorSystemBase = ConformingBase


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the cases that are parametrised with the base that ours stands in for."""
    ours = [item for item in items if "simpleSystemBase" in item.name]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = ours
