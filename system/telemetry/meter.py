"""Counts what a worker does, on its loop, once for each batch that is stored."""

from collections import defaultdict
from typing import Any

from actors.sagas.progress import Progress
from bridges.batch import Batch
from bridges.call_results import CallDone
from bridges.observer import Observer
from bridges.world import World
from system.telemetry.distribution import COUNTS, SECONDS, Distribution

Key = tuple[str, str, str]
"""Saga, transition, step; a transition of no step has an empty one."""
CallKey = tuple[str, str, str]
"""Service, operation, reason."""

TIMEOUTS = frozenset({"saga.step_timed_out", "saga.undo_timed_out"})
"""Those that say how long was waited, rather than what it took."""


class Meter(Observer):
    """Plain numbers in plain dictionaries; `exposition` makes metrics of them when asked to."""

    def __init__(self) -> None:
        self.transitions: dict[Key, Distribution] = defaultdict(lambda: Distribution(SECONDS))
        """How long each took; 0.0 for those that take no time."""
        self.lateness: dict[str, Distribution] = defaultdict(lambda: Distribution(SECONDS))
        self.records = Distribution(COUNTS)
        self.commits = Distribution(SECONDS)
        self.ages = Distribution(SECONDS)
        self.dead_letters = 0
        self.rollbacks = 0
        self.call_failures: dict[CallKey, int] = defaultdict(int)

    def committed(self, batch: Batch, world: World, seconds: float) -> None:
        self.commits.add((seconds,))
        self.records.add((batch.records,))
        self.dead_letters += batch.dead_letters
        first = batch.tickets[0].item.record if batch.tickets else None
        if first and first.timestamp:
            self.ages.add((max(0.0, world.clock.now() - first.timestamp),))
        # The hot path: one list for each kind of transition, everything else once for each list.
        took: dict[Key, list[Any]] = defaultdict(list)
        for handled in batch.moved:
            saga = handled.writes[0].saga  # type: ignore[union-attr]
            for note in handled.notes:
                fields = note.fields
                took[saga, note.event, fields.get("step", "")].append(fields.get("took", 0.0))
        for key, values in took.items():
            if key[1] not in TIMEOUTS:
                self.transitions[key].add(values)
        if any(key[1] in TIMEOUTS for key in took):
            self._note_timeouts(batch, world)

    def rolled_back(self) -> None:
        self.rollbacks += 1

    def call_failed(self, done: CallDone) -> None:
        self.call_failures[done.service, done.operation, done.failure] += 1

    def _note_timeouts(self, batch: Batch, world: World) -> None:
        for handled in batch.moved:
            progress: Progress = handled.writes[0]  # type: ignore[assignment]
            for note in handled.notes:
                if note.event not in TIMEOUTS:
                    continue
                name, waited = note.fields["step"], note.fields["waited"]
                saga = world.registry.get(progress.saga, progress.version)
                step = saga.rows[saga.index[name]]
                undo = note.event == "saga.undo_timed_out"
                within = step.undo_within if undo else step.within or 0.0
                self.transitions[saga.name, note.event, name].add((waited,))
                self.lateness[saga.name].add((max(0.0, waited - within),))
