"""Systems to test on: driven by the test, in virtual time unless it asks for another clock."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from thespian.actors import ActorSystem

from order_sagas.system.runtime import EventLoopBase, VirtualClock

Start = Callable[..., tuple[ActorSystem, EventLoopBase]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a system on a base made with these arguments; it is shut down after the test."""
    systems = []

    def go(**arguments: Any) -> tuple[ActorSystem, EventLoopBase]:
        arguments = {"threaded": False, "clock": VirtualClock(), **arguments}
        base = EventLoopBase(**arguments)
        system = ActorSystem(base, transientUnique=True)
        systems.append(system)
        return system, base

    yield go
    for system in systems:
        system.shutdown()
