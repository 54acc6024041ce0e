"""Compensation: undoes the steps of a saga, the newest first."""

from collections.abc import Callable
from typing import Any

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition import Each, Failure
from order_sagas.actors.sagas.effects import Timer
from order_sagas.actors.sagas.state import (
    ASKED,
    BACKOFF,
    CANCELLED,
    COMPENSATING,
    DONE,
    FAILED,
    NO_DEADLINE,
    SENT,
    STUCK,
    UNDO_BACKOFF,
    UNDO_SENT,
    UNDO_STUCK,
    UNDONE,
    StepState,
)
from order_sagas.actors.sagas.step import Step
from order_sagas.actors.sagas.transition import UNDOING, Transition

DONE_OR_UNKNOWN = (DONE, SENT, BACKOFF, STUCK, ASKED)
"""Phases of a step that must be undone. A step that was sent and not answered may have been done.
"""


class Backward(Transition):
    """Compensation of a saga, until it is cancelled."""

    __slots__ = ()

    def compensate(self, step: str, code: str, reason: str) -> list[str]:
        """Start compensating; return the names of the steps to undo, newest first.

        Includes steps that were sent and not answered, because their outcome is unknown.
        """
        self.reach_events(step)
        self.status = COMPENSATING
        self.failed_step, self.code, self.reason = step, code, reason
        self.due = NO_DEADLINE
        return [
            self.rows[place].name
            for stage in reversed(self.saga.stage_steps[: self.stage + 1])
            for i in stage
            for place in (reversed(self.places(i)) if self.items and i in self.items else (i,))
            if self.rows[place].undo and self.steps[place].phase in DONE_OR_UNKNOWN
        ]

    def reach_events(self, failed: str) -> None:
        """Count the steps as begun that are done by events and follow the current stage.

        Their participants act by themselves, and may have done so. They have not if the step before
        them has failed.
        """
        place = self.saga.index.get(failed)
        if place is not None and self.steps[place].phase == FAILED:
            return
        for stage in self.saga.stage_steps[self.stage + 1 :]:
            rows = [self.saga.rows[i] for i in stage]
            if not all(row.is_done_by_event and not row.pivot for row in rows):
                return
            for i in stage:
                self.steps[i] = StepState(SENT, 0, self.now)
            self.stage += 1

    def go_back(self, sent: list[str]) -> None:
        """Undo stages, newest first, until one waits for a reply.

        When the first stage is undone, the saga is cancelled, and its notices are sent. Appends the
        names of the steps whose compensation is sent to `sent`.
        """
        while self.stage >= 0:
            waiting = False
            for i in self.saga.stage_steps[self.stage]:
                phase = self.steps[i].phase
                if self.items and i in self.items:
                    self.undo_items(i, sent)
                elif phase in DONE_OR_UNKNOWN:
                    step = self.saga.rows[i]
                    if step.undo:
                        self.send_undo(i, step, 1)
                        sent.append(step.name)
                    else:
                        self.steps[i] = StepState(UNDONE, 0, self.now)
                waiting = waiting or self.steps[i].phase in UNDOING
            if waiting:
                return
            self.stage -= 1
        self.stage = 0
        self.status = CANCELLED
        self.ended_at = self.now
        failure = Failure(self.failed_step, self.code, self.reason)
        for notice in self.saga.cancelled:
            send: Callable[..., Message] = notice.send
            message = send(*(self.before.start, failure, self.known_replies())[: notice.takes])
            self.send(notice.to, message, "", 0, f"cancelled:{notice.to.name}")
        self.note(
            "saga.cancelled",
            took=round(self.now - self.before.started_at, 6),
            code=self.code,
            reason=self.reason,
        )

    def places(self, e: int) -> list[int]:
        """The places of the items of row `e`, in their order."""
        rows = len(self.saga.rows)
        return [rows + n for n, row in enumerate(self.items) if row == e]

    def undo_items(self, e: int, sent: list[str]) -> None:
        """Undo the items of row `e`, an `Each`: all at once, or the newest first.

        When none is left, the row itself is undone. Appends the names of the items whose
        compensation is sent to `sent`.
        """
        if self.steps[e].phase == UNDONE:
            return
        each, undoing = self.saga.rows[e], False
        assert isinstance(each, Each)
        for place in reversed(self.places(e)):
            if self.steps[place].phase in DONE_OR_UNKNOWN:
                if each.undo:
                    self.send_undo(place, self.rows[place], 1)
                    sent.append(self.rows[place].name)
                else:
                    self.steps[place] = StepState(UNDONE, 0, self.now)
            undoing = undoing or self.steps[place].phase in UNDOING
            if undoing and each.in_order:
                break
        was = self.steps[e]
        if undoing:
            if was.phase != UNDO_SENT:
                self.steps[e] = StepState(UNDO_SENT, 0, self.now)
            return
        self.steps[e] = StepState(UNDONE, 0, self.now)
        if was.phase == UNDO_SENT:
            took = round(self.now - was.since, 6)
            self.note("saga.step_undone", step=each.name, attempt=0, took=took)

    def send_undo(self, i: int, step: Step[Any, Any], attempt: int) -> None:
        """Send the compensation of step `i`, and set its deadline if it has a reply."""
        assert step.undo
        if step.undo_takes == 1:
            command = step.undo(self.before.start)
        else:
            command = self.made(i, step.undo, step.undo_takes)
        self.send(step.to, command, step.name, attempt, f"{step.name}:undo")
        if step.undone is None:
            self.steps[i] = StepState(UNDONE, attempt, self.now)
            return
        deadline = self.now + step.undo_within
        self.steps[i] = StepState(UNDO_SENT, attempt, self.now, deadline)
        self.wakes.append(Timer(deadline, i, attempt))

    def step_undone(self, i: int, state: StepState) -> None:
        """Note that step `i` was undone, and undo the stages before it."""
        step = self.rows[i]
        sent: list[str] = []
        self.steps[i] = StepState(UNDONE, state.attempt, self.now)
        self.note(
            "saga.step_undone",
            step=step.name,
            attempt=state.attempt,
            took=round(self.now - state.since, 6),
            sent=sent,
        )
        self.settle_status()
        self.go_back(sent)

    def undo_timed_out(self, i: int, state: StepState) -> None:
        """Retry the compensation of step `i` later, or mark it stuck if no attempts are left."""
        step = self.rows[i]
        waited = round(self.now - state.since, 6)
        noted = {"step": step.name, "attempt": state.attempt, "waited": waited}
        wait = step.undo_retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}/undo")
        if wait is None:
            self.note("saga.undo_timed_out", **noted)
            self.stick(
                i,
                state,
                UNDO_STUCK,
                f"its compensation was not answered in {state.attempt} attempts",
            )
        else:
            self.note("saga.undo_timed_out", **noted, retry_in=round(wait, 6))
            self.back_off(i, state, UNDO_BACKOFF, wait)
