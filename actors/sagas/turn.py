"""One call of `advance`: the working copy of a saga's progress, and what came of it."""

from typing import Any

from msgspec.structs import replace

from actors.clock import iso
from actors.messages import SCHEMA_VERSION, Message, status
from actors.sagas.decision import Decision, Note, Send, Wake
from actors.sagas.definition import Participant, Saga, Step
from actors.sagas.progress import (
    BACKOFF,
    COMPENSATING,
    NEEDS_ATTENTION,
    RUNNING,
    SENT,
    STUCK,
    UNDO_BACKOFF,
    UNDO_SENT,
    UNDO_STUCK,
    Entry,
    Progress,
    StepState,
)

IGNORED = "saga.message_ignored"
"""The event of a message that does not fit the present state."""
GOING = (SENT, BACKOFF, STUCK)
"""Phases of a step whose command was sent and not answered."""
UNDOING = (UNDO_SENT, UNDO_BACKOFF, UNDO_STUCK)
"""Phases of a step whose compensation was sent and not answered."""


class Turn:
    """What both directions need: to send, to wait, to take note, to ignore."""

    __slots__ = (
        "before", "cause", "code", "ended_at", "failed_step", "history", "notes", "now",
        "reason", "saga", "sends", "seq", "stage", "status", "steps", "wakes",
    )  # fmt: skip

    def __init__(self, saga: Saga, progress: Progress, now: float, cause: str) -> None:
        self.saga = saga
        self.before = progress
        self.now = now
        self.cause = cause
        self.status = progress.status
        self.stage = progress.stage
        self.steps = list(progress.steps)
        self.seq = progress.seq
        self.ended_at = progress.ended_at
        self.failed_step = progress.failed_step
        self.code = progress.code
        self.reason = progress.reason
        self.history: list[Entry] = []
        self.sends: list[Send] = []
        self.wakes: list[Wake] = []
        self.notes: list[Note] = []

    def decision(self) -> Decision:
        before = self.before
        if not self.history:
            return Decision(before, self.sends, self.wakes, self.notes)
        after = Progress(
            before.saga_id,
            before.order_id,
            before.saga,
            before.version,
            self.status,
            self.stage,
            tuple(self.steps),
            before.start,
            before.started_at,
            self.seq,
            self.ended_at,
            self.failed_step,
            self.code,
            self.reason,
            before.history + tuple(self.history),
        )
        return Decision(after, self.sends, self.wakes, self.notes)

    def ignore(
        self, message: Message, reason: str, step: Step | None = None, *, record: bool = False
    ) -> None:
        """Note that a message changes nothing; with `record`, in the saga's history too.

        A repetition, for the same step and the same reason, is counted in the entry of the first:
        however many duplicates come, the history does not grow.
        """
        fields = {"cause": self.cause, "status": status(message), "reason": reason}
        if step:
            fields["step"] = step.name
        self.notes.append(Note(IGNORED, self.seq, fields))
        if record:
            name = step.name if step else ""
            if not self.count_again(name, reason):
                entry = Entry(self.now, IGNORED, name, message.attempt, self.cause, reason)
                self.history.append(entry)

    def count_again(self, step: str, reason: str) -> bool:
        """Count one more ignored message of a step; False if its history has none yet."""
        history = self.before.history
        for place, entry in enumerate(history):
            if entry.event == IGNORED and entry.step == step and entry.note == reason:
                again = replace(entry, times=entry.times + 1, last=self.now)
                self.before = replace(
                    self.before, history=(*history[:place], again, *history[place + 1 :])
                )
                return True
        return False

    def send(self, to: Participant, message: Message, step: str, attempt: int, event: str) -> None:
        saga_id = self.before.saga_id
        stamped = replace(
            message,
            event_id=f"{saga_id}/{event}/{attempt}" if attempt else f"{saga_id}/{event}",
            saga_id=saga_id,
            step=step,
            attempt=attempt,
            causation_id=self.cause,
            occurred_at=iso(self.now),
            schema_version=SCHEMA_VERSION,
        )
        self.sends.append(Send(to, stamped))

    def back_off(self, i: int, state: StepState, phase: int, wait: float) -> None:
        at = self.now + wait
        self.steps[i] = StepState(phase, state.attempt, state.since, at)
        self.wakes.append(Wake(at, i, state.attempt))

    def stick(self, i: int, state: StepState, phase: int, reason: str) -> None:
        self.steps[i] = StepState(phase, state.attempt, state.since)
        self.status = NEEDS_ATTENTION
        self.note("saga.needs_attention", step=self.saga.rows[i].name, reason=reason)

    def settle_status(self) -> None:
        """A saga needs attention for as long as one of its steps is stuck."""
        if self.status == NEEDS_ATTENTION and not any(
            state.phase in (STUCK, UNDO_STUCK) for state in self.steps
        ):
            self.status = COMPENSATING if self.code else RUNNING

    def note(self, event: str, /, **fields: Any) -> None:
        self.seq += 1
        cause = fields["cause"] = self.cause
        self.notes.append(Note(event, self.seq, fields))
        get = fields.get
        remark = get("reason") or get("why") or ""
        if "action" in fields:
            remark = f"{fields['action']} by {fields['by']}: {remark}"
        entry = Entry(self.now, event, get("step", ""), get("attempt", 0), cause, remark)
        self.history.append(entry)
