"""One call of `advance`: a mutable copy of the saga's state, and the effects so far."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from order_sagas.actors.clock import iso
from order_sagas.actors.errors import SagaError
from order_sagas.actors.messages import SCHEMA_VERSION, Message, status
from order_sagas.actors.sagas.child_messages import CHILDREN, UndoChild, child_event_id
from order_sagas.actors.sagas.definition import Each, Participant, Saga
from order_sagas.actors.sagas.effects import Decision, LogEvent, Send, Timer
from order_sagas.actors.sagas.known_replies import Replies, bare
from order_sagas.actors.sagas.places import row_index, rows_of
from order_sagas.actors.sagas.state import (
    ASKED,
    BACKOFF,
    COMPENSATING,
    COMPLETED,
    NEEDS_ATTENTION,
    RUNNING,
    SENT,
    STUCK,
    UNDO_BACKOFF,
    UNDO_SENT,
    UNDO_STUCK,
    HistoryEntry,
    SagaState,
    StepState,
)
from order_sagas.actors.sagas.step import Step

IGNORED = "saga.message_ignored"
"""The log event of a message that does not fit the current state."""
GOING = (SENT, BACKOFF, STUCK, ASKED)
"""Phases of a step whose command was sent and not answered."""
UNDOING = (UNDO_SENT, UNDO_BACKOFF, UNDO_STUCK)
"""Phases of a step whose compensation was sent and not answered."""


class Transition:
    """The operations that forward execution and compensation share: send, wait, note, ignore.

    `before` is the state at the start of the call; the other fields are the new state and its
    effects. `rows` has the step of each place in `steps`: see `places`.
    """

    __slots__ = (
        "before", "cause", "code", "due", "early", "ended_at", "failed_step", "history", "items",
        "notes", "now", "reason", "replies", "rows", "saga", "sends", "seq", "stage", "status",
        "steps", "wakes",
    )  # fmt: skip

    def __init__(self, saga: Saga[Any], progress: SagaState, now: float, cause: str) -> None:
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
        self.items = progress.items
        self.replies = progress.replies
        self.due = progress.due
        self.rows = rows_of(saga, progress.items) if progress.items else saga.rows
        self.early = ""
        self.history: list[HistoryEntry] = []
        self.sends: list[Send] = []
        self.wakes: list[Timer] = []
        self.notes: list[LogEvent] = []

    def decision(self) -> Decision:
        """The new state and the effects; the former state itself if nothing changed."""
        before = self.before
        if not self.history:
            return Decision(before, self.sends, self.wakes, self.notes, self.early)
        if self.status >= COMPLETED and self.status != before.status and before.start.saga_id:
            self.report_end()
        after = SagaState(
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
            self.items,
            self.replies,
            self.due,
        )
        return Decision(after, self.sends, self.wakes, self.notes)

    def made(self, i: int, function: Callable[..., Any], takes: int) -> Any:
        """Call a function of the step at place `i` with as many arguments as it takes.

        They are the start, the item if the place is one, and the replies.
        """
        arguments = [self.before.start]
        e = row_index(self.saga, self, i)
        if e != i:
            arguments.append(self.items_of(e)[self.items[: i - len(self.saga.rows)].count(e)])
        if takes > len(arguments):
            arguments.append(self.known_replies(self.rows[i].name))
        return function(*arguments)

    def known_replies(self, own: str = "") -> Replies:
        """The replies so far, as the step `own` sees them."""
        return Replies(self.saga, self.replies, own)

    def items_of(self, e: int) -> tuple[Any, ...]:
        """The items of row `e`, an `Each`. Raises SagaError if their number has changed."""
        each = self.saga.rows[e]
        assert isinstance(each, Each)
        arguments = (self.before.start, self.known_replies())[: each.over_takes]
        items = tuple(each.over(*arguments))
        begun = self.items.count(e)
        if begun and len(items) != begun:
            raise SagaError(
                f"saga {self.saga.name!r}: `over` of {each.name!r} gave {begun} items at first, "
                f"and {len(items)} now; it must be a pure function"
            )
        return items

    def keep_reply(self, i: int, message: Message | None) -> None:
        """Store the reply of the step at place `i`, if a function of the definition reads it."""
        if message is not None and row_index(self.saga, self, i) in self.saga.kept:
            self.replies = {**(self.replies or {}), self.rows[i].name: bare(message)}

    def ignore(
        self,
        message: Message,
        reason: str,
        step: Step[Any, Any] | None = None,
        *,
        record: bool = False,
    ) -> None:
        """Log that a message changes nothing; with `record`, add it to the saga's history too.

        A repetition for the same step and the same reason is counted in the existing entry, so that
        duplicates do not make the history grow.
        """
        fields = {"cause": self.cause, "status": status(message), "reason": reason}
        if step:
            fields["step"] = step.name
        self.notes.append(LogEvent(IGNORED, self.seq, fields))
        if record:
            name = step.name if step else ""
            if not self.count_again(name, reason):
                entry = HistoryEntry(self.now, IGNORED, name, message.attempt, self.cause, reason)
                self.history.append(entry)

    def count_again(self, step: str, reason: str) -> bool:
        """Count a repetition in an existing entry of the history; False if there is none."""
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
        """Send a message to a participant, with the ids that identify it.

        The event id is the saga id with `event` and, if it is not 0, `attempt`. What is for a child
        saga goes to the topic that the child starts on; an undo names the child as its saga.
        """
        if to is CHILDREN:
            self.send_child(message, step, attempt, event)
            return
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

    def send_child(self, message: Message, step: str, attempt: int, event: str) -> None:
        """Send a child saga its start or its undo."""
        saga_id, child = self.before.saga_id, self.saga.row_named(step)
        assert child is not None
        to, event_id, to_saga = CHILDREN, f"{saga_id}/{event}/{attempt}", saga_id
        if isinstance(message, UndoChild):
            message, to_saga = replace(message, parent=saga_id), message.saga_id
        else:
            origin = child.runs.origin
            to = Participant(origin.name, origin.topic)
            if child.done:
                event_id = child_event_id(saga_id, step, attempt)
        stamped = replace(
            message,
            event_id=event_id,
            saga_id=to_saga,
            step=step,
            attempt=attempt,
            causation_id=self.cause,
            occurred_at=iso(self.now),
            schema_version=SCHEMA_VERSION,
        )
        self.sends.append(Send(to, stamped))

    def report_end(self) -> None:
        """Notify the saga's parent, if there is one, that the saga has ended."""

    def back_off(self, i: int, state: StepState, phase: int, wait: float) -> None:
        """Set a timer to send step `i` again in `wait` seconds."""
        at = self.now + wait
        self.steps[i] = StepState(phase, state.attempt, state.since, at, state.asked)
        self.wakes.append(Timer(at, i, state.attempt))

    def stick(self, i: int, state: StepState, phase: int, reason: str) -> None:
        """Mark step `i` as stuck, so that the saga needs attention."""
        self.steps[i] = StepState(phase, state.attempt, state.since, asked=state.asked)
        self.status = NEEDS_ATTENTION
        self.note("saga.needs_attention", step=self.rows[i].name, reason=reason)

    def settle_status(self) -> None:
        """End the status NEEDS_ATTENTION if no step is stuck any more."""
        if self.status == NEEDS_ATTENTION and not any(
            state.phase in (STUCK, UNDO_STUCK) for state in self.steps
        ):
            self.status = COMPENSATING if self.code else RUNNING

    def note(self, event: str, /, **fields: Any) -> None:
        """Add a transition: one log event, one entry of the history, and one more in `seq`."""
        self.seq += 1
        cause = fields["cause"] = self.cause
        self.notes.append(LogEvent(event, self.seq, fields))
        # `in` costs half as much as `get`, and most notes have no reason.
        step, attempt, remark = "", 0, ""
        if "step" in fields:
            step, attempt = fields["step"], fields.get("attempt", 0)
        if "reason" in fields:
            remark = fields["reason"] or ""
        if "why" in fields:
            remark = remark or fields["why"] or ""
        if "action" in fields:
            remark = f"{fields['action']} by {fields['by']}: {remark}"
        self.history.append(HistoryEntry(self.now, event, step, attempt, cause, remark))
