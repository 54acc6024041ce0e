"""Derives finished spans from the transitions of a saga.

    saga
      step, or compensation of a step
        attempt: from its command to its reply, or until it is no longer waited for

A step without a reply is one span of zero length. The span of a saga is created when the saga has
ended, that of a step when the step is settled. A child saga that is undone after it has completed
has a second span for that, below its first.
"""

from collections.abc import Iterator
from typing import Any

import attrs

from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.effects import LogEvent
from order_sagas.actors.sagas.state import CANCELLED, HistoryEntry, SagaState
from order_sagas.actors.sagas.step import Step

ANSWERS = {
    "saga.step_completed": "done",
    "saga.step_failed": "failed",
    "saga.step_timed_out": "timed_out",
    "saga.step_undone": "undone",
    "saga.undo_timed_out": "timed_out",
    "saga.step_refused": "failed",
    "saga.command_lost": "lost",
}
REPEATED = ("saga.step_refused", "saga.command_lost")
"""Answers after which the command is sent again."""


@attrs.frozen(kw_only=True)
class SpanOver:
    """A finished span. Times in seconds since the Unix epoch; `id` and `parent` are names."""

    id: str
    parent: str
    """The parent's `id`; "" for the span of the saga."""
    name: str
    began: float
    ended: float
    attributes: dict[str, Any]
    error: str = ""
    events: tuple[HistoryEntry, ...] = ()
    topic: str = ""
    """The topic of the record that the span represents, which was sent; "" if there is none."""


class Spans:
    """The spans of one saga that one turn finished. All notes of a turn have the same time."""

    def __init__(self, saga: Saga[Any], progress: SagaState, notes: list[LogEvent]) -> None:
        self._saga = saga
        self._progress = progress
        self._notes = notes
        self._now = progress.history[-1].at
        self._brought_back = _brought_back(progress)
        saga_id = progress.saga_id
        self._undo_root = saga_id if self._brought_back is None else f"{saga_id}:undo"

    def over(self) -> Iterator[SpanOver]:
        """Yield the spans that this turn finished, children before parents."""
        for note in self._notes:
            step = note.fields.get("step", "")
            if note.event in ANSWERS and step:
                yield from self._answered(note, step)
            elif note.event == "saga.operator" and note.fields.get("action") == "skip":
                yield from self._settled(step, self._undo_was_stuck(step), "skipped", "")
            for name in note.fields.get("undo", ()):
                yield from self._given_up(name, besides=step)
            for name in note.fields.get("sent", ()):
                yield from self._told(name)
            if note.event in ("saga.completed", "saga.cancelled"):
                yield self._whole()

    def _answered(self, note: LogEvent, step: str) -> Iterator[SpanOver]:
        fields, undo = note.fields, "undo" in note.event
        attempt = fields["attempt"]
        outcome = ANSWERS[note.event]
        error = "" if outcome in ("done", "undone") else fields.get("reason") or "no answer"
        took = fields.get("took", fields.get("waited", 0.0))
        # If closed before, the span was exported: the attempt timed out, failed, or was lost.
        if attempt and self._times_closed(step, undo, attempt) == 1:  # a wait has no attempts
            more = {"code": fields["code"]} if "code" in fields else {}
            # A rounding error must not make it begin before its step: the log has microseconds.
            began = max(self._now - took, self._sent(step, undo))
            yield self._attempt(step, undo, attempt, began, outcome, error, **more)
        is_over = outcome != "timed_out" and note.event not in REPEATED
        if is_over or "undo" in fields:
            yield from self._settled(step, undo, outcome, error)

    def _given_up(self, step: str, besides: str) -> Iterator[SpanOver]:
        """Finish the span of a step that is compensated before its reply has arrived."""
        if step == besides or self._find(step, False, None, "done"):
            return
        row = self._row(step)
        if row.done is None:
            return  # a step without a reply
        sent = self._sent(step, undo=False)
        retried = [e for e in self._entries(step) if e.event == "saga.step_retried"]
        attempt, began = (retried[-1].attempt, retried[-1].at) if retried else (1, sent)
        if not self._times_closed(step, False, attempt):
            yield self._attempt(step, False, attempt, began, "given_up", "no longer waited for")
        yield from self._settled(step, False, "given_up", "no longer waited for")

    def _told(self, step: str) -> Iterator[SpanOver]:
        row, undo = self._row(step), bool(self._progress.code)
        if (row.undone if undo else row.done) is None:
            yield SpanOver(
                id=command_id(self._progress.saga_id, step, undo, 1),
                parent=self._undo_root if undo else self._progress.saga_id,
                name=_name(step, undo),
                began=self._now,
                ended=self._now,
                attributes=self._attributes(step, undo, "told"),
                topic=_topic_of(row, undo),
            )

    def _attempt(
        self,
        step: str,
        undo: bool,
        attempt: int,
        began: float,
        outcome: str,
        error: str,
        **more: Any,
    ) -> SpanOver:
        saga_id = self._progress.saga_id
        return SpanOver(
            id=command_id(saga_id, step, undo, attempt),
            parent=step_id(saga_id, step, undo),
            name=f"{_name(step, undo)} #{attempt}",
            began=began,
            ended=self._now,
            attributes={**self._attributes(step, undo, outcome), "attempt": attempt, **more},
            error=error,
            topic=_topic_of(self._row(step), undo),
        )

    def _settled(self, step: str, undo: bool, outcome: str, error: str) -> Iterator[SpanOver]:
        saga_id = self._progress.saga_id
        yield SpanOver(
            id=step_id(saga_id, step, undo),
            parent=self._undo_root if undo else saga_id,
            name=_name(step, undo),
            began=self._sent(step, undo),
            ended=self._now,
            attributes=self._attributes(step, undo, outcome),
            error=error,
        )

    def _whole(self) -> SpanOver:
        progress = self._progress
        again = self._brought_back
        cancelled = progress.status == CANCELLED
        attributes: dict[str, Any] = {
            "order_id": progress.order_id,
            "saga_id": progress.saga_id,
            "saga": progress.saga,
            "saga_version": progress.version,
            "status": "CANCELLED" if cancelled else "COMPLETED",
        }
        if cancelled:
            attributes |= {"code": progress.code, "failed_step": progress.failed_step}
        return SpanOver(
            id=progress.saga_id if again is None else self._undo_root,
            parent="" if again is None else progress.saga_id,
            name=progress.saga if again is None else f"undo {progress.saga}",
            began=progress.started_at if again is None else again,
            ended=progress.ended_at,
            attributes=attributes,
            error=progress.reason if cancelled else "",
            events=progress.history,
        )

    def _attributes(self, step: str, undo: bool, outcome: str) -> dict[str, Any]:
        progress = self._progress
        return {
            "order_id": progress.order_id,
            "saga": progress.saga,
            "step": step,
            "participant": self._row(step).to.name,
            "undo": undo,
            "outcome": outcome,
        }

    # --- the history ----------------------------------------------------------------------------

    def _row(self, step: str) -> Step[Any, Any]:
        row = self._saga.row_named(step)
        assert row
        return row

    def _entries(self, step: str) -> list[HistoryEntry]:
        return [entry for entry in self._progress.history if entry.step == step]

    def _find(self, step: str, undo: bool, attempt: int | None, outcome: str) -> bool:
        events = [event for event, known in ANSWERS.items() if known == outcome]
        return any(
            entry.event in events
            and ("undo" in entry.event) == undo
            and attempt in (None, entry.attempt)
            for entry in self._entries(step)
        )

    def _times_closed(self, step: str, undo: bool, attempt: int) -> int:
        """How often the attempt has ended: it timed out, failed, was lost, or was answered."""
        closing = [
            entry
            for entry in self._entries(step)
            if entry.event in ANSWERS
            and ("undo" in entry.event) == undo
            and entry.attempt == attempt
        ]
        return len(closing)

    def _undo_was_stuck(self, step: str) -> bool:
        return any(entry.event == "saga.undo_timed_out" for entry in self._entries(step))

    def _sent(self, step: str, undo: bool) -> float:
        """Return when the first command was sent: the time of the last entry that can cause it."""
        saga, history = self._saga, self._progress.history
        place = saga.index[self._row(step).name]
        stage = next(n for n, steps in enumerate(saga.stage_steps) if place in steps)
        before = saga.stage_steps[:stage] if not undo else saga.stage_steps[stage + 1 :]
        others = {saga.rows[i].name for steps in before for i in steps}
        sent = self._progress.started_at
        for entry in history:
            turned = entry.event in ("saga.step_failed", "saga.step_timed_out") or (
                entry.event == "saga.operator" and not entry.step
            )
            is_undo = entry.event in ("saga.step_undone", "saga.undo_timed_out")
            if entry.step == step and (is_undo if undo else entry.event != "saga.operator"):
                break
            settled = entry.event in ("saga.step_completed", "saga.step_undone", "saga.operator")
            if (undo and turned) or (settled and entry.step in others):
                sent = entry.at
        return sent


def _brought_back(progress: SagaState) -> float | None:
    """When a saga that had completed was asked to be undone; None if it was not."""
    completed = False
    for entry in progress.history:
        if completed and entry.event == "saga.undo_asked":
            return entry.at
        completed = completed or entry.event == "saga.completed"
    return None


def command_id(saga_id: str, step: str, undo: bool, attempt: int) -> str:
    """Return the event id of the command of an attempt, as `Turn.send` builds it."""
    return f"{step_id(saga_id, step, undo)}/{attempt}"


def step_id(saga_id: str, step: str, undo: bool) -> str:
    """Return the id of the span of a step, which contains its attempts."""
    return f"{saga_id}/{step}:undo" if undo else f"{saga_id}/{step}"


def _topic_of(row: Step[Any, Any], undo: bool) -> str:
    """Return the topic of a step's commands; the start of a child is in the topic of its saga."""
    if row.is_child and not undo:
        topic: str = row.runs.origin.topic
        return topic
    return row.to.topic


def _name(step: str, undo: bool) -> str:
    return f"undo {step}" if undo else step
