"""Virtual time of a harness: it passes from one event to the next."""

import random
from collections.abc import Callable

from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.simulated_worker import ENDLESS, SWEEPS
from order_sagas.system.harness.worker_group import WorkerGroup

CALM = 60.0
"""Seconds before an event from which the sweeps of idle workers are run. Those of the hours and
days before are left out, since they find nothing: each waits for an event."""


class PassingTime:
    """Runs the workers of a stage, and moves its clock.

    `step` runs the simulated threads of Kafka's clients; it returns True if one ran. Timers fire up
    to `tick` seconds late; all due by then fire together.
    """

    def __init__(
        self,
        stage: Stage,
        group: WorkerGroup,
        rng: random.Random,
        step: Callable[[], bool],
        tick: float,
    ) -> None:
        self._stage = stage
        self._group = group
        self._rng = rng
        self._step = step
        self._tick = tick

    def run(self) -> None:
        """Do everything that needs no time to pass."""
        group = self._group
        while True:
            ready = [each for each in group.running.values() if not each.busy and each.is_ready]
            if len(ready) > 1:
                self._rng.shuffle(ready)
            for worker in ready:
                if worker.alive:
                    group.guarded(worker, worker.run)
            if not self._step() and not ready:
                return

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: every timer fires, and every record arrives, at its own time."""
        clock, agenda = self._stage.clock, self._stage.agenda
        looked = clock.monotonic()
        until = looked + seconds
        self.run()
        while (due := self.next_due()) is not None and due <= until:
            if due - looked > CALM:
                looked = due
                event = self.next_due(without=SWEEPS)
                due = max(due, min(until, until if event is None else event) - CALM)
            clock.jump_to(min(due + self._tick, until))
            agenda.run_due(clock.monotonic())
            self.run()
        clock.jump_to(until)

    def advance_while(self, unfinished: Callable[[], object], limit: float) -> None:
        """Let time pass until nothing is to be done or to be waited for, `limit` seconds at most.

        Periodic timers are not waited for.
        """
        clock = self._stage.clock
        until = clock.monotonic() + limit
        self.run()
        while unfinished() and (due := self.next_due(without=ENDLESS)) is not None and due <= until:
            self.advance(max(0.0, due - clock.monotonic()))

    def next_due(self, *, without: tuple[str, ...] = ()) -> float | None:
        """Return when the next event is due, other than wakeups of these classes."""
        agenda = self._stage.agenda.next_due()
        dues = [] if agenda is None else [agenda]
        for worker in self._group.running.values():
            if not worker.busy:
                due = worker.next_event(without) if without else worker.base.next_timer()
                if due is not None:
                    dues.append(due)
        return min(dues) if dues else None
