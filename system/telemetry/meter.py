"""Counts the work of a worker, on its event loop, once per committed batch."""

from collections import defaultdict
from typing import Any

from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.processor.observers import ObservedContext, Observer
from order_sagas.system.telemetry.histogram import COUNTS, SECONDS, Distribution

Key = tuple[str, str, str]
"""Saga, transition, step ("" if the transition has none)."""
CallKey = tuple[str, str, str]
"""Service, operation, reason."""

TIMEOUTS = frozenset({"saga.step_timed_out", "saga.undo_timed_out"})
"""Transitions with the time waited (`waited`) instead of a duration (`took`)."""


class Meter(Observer):
    """Counts in plain dictionaries; `Exposition` converts them to metrics on request."""

    def __init__(self) -> None:
        self.transitions: dict[Key, Distribution] = defaultdict(lambda: Distribution(SECONDS))
        """Durations in seconds by transition; 0.0 for transitions without a duration."""
        self.lateness: dict[str, Distribution] = defaultdict(lambda: Distribution(SECONDS))
        self.records = Distribution(COUNTS)
        self.commits = Distribution(SECONDS)
        self.ages = Distribution(SECONDS)
        self.dead_letters = 0
        self.rollbacks = 0
        self.call_failures: dict[CallKey, int] = defaultdict(int)

    def committed(self, batch: Batch, context: ObservedContext, seconds: float) -> None:
        """Count a committed batch; `seconds` is the duration of its transaction."""
        self.commits.add((seconds,))
        self.records.add((batch.records,))
        self.dead_letters += batch.dead_letters
        first = batch.tickets[0].item.record if batch.tickets else None
        if first and first.timestamp:
            self.ages.add((max(0.0, context.clock.now() - first.timestamp),))
        # The hot path: collect one list per kind of transition, and count each list at once.
        took: dict[Key, list[Any]] = defaultdict(list)
        for handled in batch.moved:
            saga = handled.writes[0].saga  # type: ignore[union-attr]
            for note in handled.notes:
                fields = note.fields
                step = fields.get("step", "")
                if step.endswith("]"):
                    step = _label(step)
                took[saga, note.event, step].append(fields.get("took", 0.0))
        for key, values in took.items():
            if key[1] not in TIMEOUTS:
                self.transitions[key].add(values)
        if any(key[1] in TIMEOUTS for key in took):
            self._note_timeouts(batch, context)

    def rolled_back(self) -> None:
        """Count a batch that was rolled back."""
        self.rollbacks += 1

    def call_failed(self, done: CallDone) -> None:
        """Count an external call that failed."""
        self.call_failures[done.service, done.operation, done.failure] += 1

    def _note_timeouts(self, batch: Batch, context: ObservedContext) -> None:
        for handled in batch.moved:
            progress: SagaState = handled.writes[0]  # type: ignore[assignment]
            for note in handled.notes:
                if note.event not in TIMEOUTS:
                    continue
                name, waited = note.fields["step"], note.fields["waited"]
                saga = context.registry.get(progress.saga, progress.version)
                step = saga.row_named(name)
                assert step
                undo = note.event == "saga.undo_timed_out"
                within = step.undo_within if undo else step.within or 0.0
                self.transitions[saga.name, note.event, _label(name)].add((waited,))
                self.lateness[saga.name].add((max(0.0, waited - within),))


def _label(step: str) -> str:
    """The label of a step: items of one row share it, because there may be any number of them."""
    return step.rpartition("[")[0] if step.endswith("]") else step
