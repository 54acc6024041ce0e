"""The same system on Thespian's own bases, whose time is real and whose actors may be processes."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.system.bootstrap import start
from order_sagas.system.running_system import RunningSystem
from tests.support.embedded import EmbeddedSystem
from tests.support.ports import free_port

PATIENCE = 30.0
"""Time limit in seconds for a condition; reached only by a failing test."""


class OnThespiansBase(EmbeddedSystem):
    """A system in real time with short deadlines: a few tenths of a second."""

    def __init__(self, directory: Path, base: str, settings: Mapping[str, Any]) -> None:
        super().__init__(directory, settings={"deadline_scale": 0.03, **settings})
        self.parts = attrs.evolve(self.parts, clock=SystemClock(), apart=True)
        self._base_name = base
        self._actors: ActorSystem | None = None
        self._on: RunningSystem | None = None

    def start(self) -> None:
        self.capture_logs()
        capabilities = {"Admin Port": free_port()} if "multiproc" in self._base_name else None
        self._actors = ActorSystem(self._base_name, capabilities, transientUnique=True)
        try:
            self._on = start(self.parts, self._actors)
            self.run()
        except BaseException:
            self.crash()  # no process may be left behind
            raise

    def run(self) -> None:
        if self._actors and self._on:
            self._actors.tell(self._on.processor, RecordsWaiting())

    def crash(self) -> None:
        if self._actors:
            self._actors.shutdown()
        self._actors = self._on = None

    def until(self, done: Callable[[], bool]) -> bool:
        """Wait for a condition, at most thirty seconds; the actors run meanwhile."""
        assert self._actors
        deadline = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < deadline:
            self._actors.listen(timedelta(milliseconds=20))
        return done()
