"""The workers of a harness: they are started, crash, and are stopped and started again."""

from collections.abc import Callable
from functools import partial
from typing import Any

from thespian.actors import ActorAddress

from order_sagas.actors.sagas.coordinator import SagaCoordinator
from order_sagas.system.bootstrap import Parts
from order_sagas.system.harness.clock import WorkerClock
from order_sagas.system.harness.crashes import Crashed
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.simulated_worker import Worker
from order_sagas.system.runtime import Policy
from order_sagas.system.runtime.base import Interceptor


class WorkerGroup:
    """Workers on one stage, numbered from 0. `policy_of` makes the policy of the nth life."""

    def __init__(
        self, stage: Stage, parts: Parts, policy_of: Callable[[int], Policy], workers: int
    ) -> None:
        self.running: dict[int, Worker] = {}
        """The running workers, by number."""
        self.lives = 0
        """How many times a worker was started."""
        self.interceptors: list[Interceptor] = []
        self._stage = stage
        self._parts = parts
        self._policy_of = policy_of
        self._clocks = [WorkerClock(stage.clock) for _ in range(workers)]
        self._down: set[int] = set()
        """Numbers of workers that are not restarted."""

    @property
    def first(self) -> Worker | None:
        """The running worker with the lowest number, or None."""
        return self.running[min(self.running)] if self.running else None

    def crash(self, number: int | None = None) -> None:
        """Kill a worker, or all, at once."""
        for each in [*self.running] if number is None else [number]:
            worker = self.running.pop(each, None)
            if worker:
                worker.kill()

    def stop(self, number: int | None = None) -> None:
        """Stop a worker, or all, in good order: the current batch is committed."""
        for each in [*self.running] if number is None else [number]:
            worker = self.running.get(each)
            if worker and not worker.busy and self.guarded(worker, worker.stop):
                self.running.pop(each, None)

    def restart(self, number: int | None = None) -> None:
        """Start a worker, or all that do not run, on the state in the database."""
        numbers = range(len(self._clocks)) if number is None else [number]
        for each in numbers:
            if each not in self.running and each not in self._down:
                self._start(each)

    def add(self) -> int:
        """Start one more worker, and return its number."""
        self._clocks.append(WorkerClock(self._stage.clock))
        self.restart(len(self._clocks) - 1)
        return len(self._clocks) - 1

    def remove(self, number: int, *, killed: bool) -> None:
        """Stop or kill a worker for good; the last one can still be started by `restart`."""
        worker = self.running.get(number)
        if worker is None or (worker.busy and not killed):
            return
        if len(self._clocks) - len(self._down) > 1:
            self._down.add(number)
        (self.crash if killed else self.stop)(number)

    def skew(self, number: int, seconds: float, drift: float) -> bool:
        """Set the wall clock of a worker ahead; return False if there is no such worker."""
        if number >= len(self._clocks):
            return False
        self._clocks[number].skew(seconds, drift)
        return True

    def notify(self) -> None:
        """Notify all workers of waiting records."""
        for worker in self.running.values():
            worker.ring()

    def meddle(self) -> None:
        """Set the interceptors of all workers again."""
        for worker in self.running.values():
            worker.meddle(self.interceptors)

    def guarded(self, worker: Worker, act: Callable[[], Any]) -> bool:
        """Run an action in which a worker may crash; return True if it did not."""
        points = self._stage.points
        before, points.armed, worker.busy = points.armed, True, True
        try:
            act()
        except Crashed as crash:
            points.armed = before
            if not worker.alive:
                return False  # it was killed during a pause
            self.crash(worker.number)
            if crash.down:
                again = partial(self.restart, worker.number)
                self._stage.agenda.add(self._stage.clock.monotonic() + crash.down, again)
            else:
                self.restart(worker.number)
            return False
        finally:
            points.armed, worker.busy = before, False
        return True

    def address(self, actor: str) -> ActorAddress:
        """Return the address of an actor of the first worker.

        Raises RuntimeError if no worker runs, and LookupError for an unknown name.
        """
        worker = self.first
        if worker is None or worker.running is None:
            raise RuntimeError("no worker runs")
        if actor == "processor":
            return worker.running.processor
        if actor in worker.services:
            return worker.services[actor]
        for view in worker.base.actors():
            if actor == "coordinator" and view.actor_class is SagaCoordinator:
                return view.address
        known = ", ".join(["coordinator", "processor", *worker.services])
        raise LookupError(f"no actor is named {actor!r}; there are {known}")

    def _start(self, number: int) -> None:
        self.lives += 1
        policy = self._policy_of(self.lives)
        clock = self._clocks[number]
        worker = Worker(self._stage, number, clock, self._parts, policy, self.interceptors)
        self.running[number] = worker
        self.guarded(worker, worker.begin)
