"""Runs a saga forwards, stage by stage, until the last one is complete."""

from typing import Any

from order_sagas.actors.messages import Failed, Message
from order_sagas.actors.sagas.compensation import Backward
from order_sagas.actors.sagas.effects import Timer
from order_sagas.actors.sagas.places import WHOLE_SAGA, pivot_is_out
from order_sagas.actors.sagas.state import (
    BACKOFF,
    COMPLETED,
    DONE,
    FAILED,
    NO_DEADLINE,
    SENT,
    SKIPPED,
    STUCK,
    StepState,
)
from order_sagas.actors.sagas.step import Step
from order_sagas.actors.words import many


class Forward(Backward):
    """Forward execution of a saga, which turns to compensation when a step fails or times out."""

    __slots__ = ()

    def start(self) -> None:
        """Start the saga: enter its first stage."""
        sent: list[str] = []
        self.note(
            "saga.started",
            version=self.saga.version,
            steps=[step.name for step in self.saga.rows],
            sent=sent,
        )
        if self.due:
            self.wakes.append(Timer(self.due, WHOLE_SAGA, 0))
        self.enter_stage(sent)
        self.go_forward(sent)

    def step_done(self, i: int, state: StepState, message: Message | None = None) -> None:
        """Note that step `i` is done, and go on if its stage is complete."""
        step = self.rows[i]
        sent: list[str] = []
        self.steps[i] = StepState(DONE, state.attempt, self.now)
        if self.saga.kept:
            self.keep_reply(i, message)
        self.note(
            "saga.step_completed",
            step=step.name,
            attempt=state.attempt,
            took=round(self.now - state.since, 6),
            sent=sent,
        )
        self.settle_status()
        self.go_forward(sent)

    def go_forward(self, sent: list[str]) -> None:
        """Enter stages until one waits for a reply; after the last stage, complete the saga.

        Appends the names of the steps that are sent to `sent`.
        """
        stages = self.saga.stage_steps
        while True:
            if self.items:
                self.advance_items(sent)
            for i in stages[self.stage]:
                phase = self.steps[i].phase
                if phase != DONE and phase != SKIPPED:
                    return
            self.stage += 1
            if self.stage == len(stages):
                self.status = COMPLETED
                self.ended_at = self.now
                self.due = NO_DEADLINE
                self.note("saga.completed", took=round(self.now - self.before.started_at, 6))
                return
            self.enter_stage(sent)

    def enter_stage(self, sent: list[str]) -> None:
        """Send the commands of the current stage. Appends the names of the steps to `sent`."""
        for i in self.saga.stage_steps[self.stage]:
            step = self.saga.rows[i]
            if not step.is_plain:
                self.enter_row(i, step, sent)
            elif step.do is not None:
                self.send_command(i, step, 1)
                sent.append(step.name)
            elif step.done is None:
                self.steps[i] = StepState(DONE, 0, self.now)
            else:
                self.send_command(i, step, 1)  # there is none: the step ends by an event

    def enter_row(self, i: int, step: Step[Any, Any], sent: list[str]) -> None:
        """Enter a row that is more than a command: it may be skipped, or wait; see `Waits`."""
        raise NotImplementedError

    def advance_items(self, sent: list[str]) -> None:
        """Go on with the items of the current stage; see `Items`."""
        raise NotImplementedError

    def send_command(self, i: int, step: Step[Any, Any], attempt: int) -> None:
        """Send the command of step `i`, if it has one, and set its deadline if it has a reply."""
        if step.do is not None:
            if step.do_takes == 1:
                command = step.do(self.before.start)
            else:
                command = self.made(i, step.do, step.do_takes)
            self.send(step.to, command, step.name, attempt, step.name)
        if step.done is None:
            self.steps[i] = StepState(DONE, attempt, self.now)
            return
        assert step.within
        deadline = self.now + step.within
        self.steps[i] = StepState(SENT, attempt, self.now, deadline, self.steps[i].asked)
        self.wakes.append(Timer(deadline, i, attempt))

    def timed_out(self, i: int, state: StepState) -> None:
        """Retry step `i` later, or give it up if no attempts are left."""
        step = self.rows[i]
        wait = step.retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}")
        if wait is None or step.is_done_by_event:
            self.give_up(i, state)
        else:
            waited = round(self.now - state.since, 6)
            self.note(
                "saga.step_timed_out",
                step=step.name,
                attempt=state.attempt,
                waited=waited,
                retry_in=round(wait, 6),
            )
            self.back_off(i, state, BACKOFF, wait)

    def give_up(self, i: int, state: StepState) -> None:
        """Compensate, because step `i` had no answer; mark it stuck if that is not possible."""
        step = self.rows[i]
        noted = {
            "step": step.name,
            "attempt": state.attempt,
            "waited": round(self.now - state.since, 6),
        }
        if self.is_past_pivot:
            self.note("saga.step_timed_out", **noted)
            self.stick(i, state, STUCK, "no answer, and what comes after the pivot is not undone")
            return
        undo: list[str] = []
        sent: list[str] = []
        self.note("saga.step_timed_out", **noted, undo=undo, sent=sent)
        tried = f", {many(state.attempt, 'attempt')}" if step.kind == "step" else ""
        reason = f"{step.name}: no answer within {step.within:g} s{tried}"
        undo += self.compensate(step.name, "timed_out", reason)
        self.go_back(sent)

    @property
    def is_past_pivot(self) -> bool:
        """True if the saga must not be compensated: its pivot has happened, or may have."""
        return self.stage > self.saga.pivot_stage or pivot_is_out(self.saga, self)

    def step_failed(self, i: int, state: StepState, message: Message) -> None:
        """Compensate, because step `i` was answered with a failure."""
        step = self.rows[i]
        code, reason = failure_of(message, step)
        self.steps[i] = StepState(FAILED, state.attempt, self.now)
        sent: list[str] = []
        undo: list[str] = []
        self.note(
            "saga.step_failed",
            step=step.name,
            attempt=state.attempt,
            took=round(self.now - state.since, 6),
            code=code,
            reason=reason,
            undo=undo,
            sent=sent,
        )
        undo += self.compensate(step.name, code, reason)
        self.go_back(sent)

    def failed_after_pivot(self, i: int, state: StepState, message: Message) -> None:
        """Send step `i` again later, because what comes after the pivot must succeed.

        If no attempts are left, mark it stuck.
        """
        step = self.rows[i]
        code, reason = failure_of(message, step)
        wait = step.retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}")
        again = {} if wait is None else {"retry_in": round(wait, 6)}
        took = round(self.now - state.since, 6)
        self.note(
            "saga.step_refused",
            step=step.name,
            attempt=state.attempt,
            took=took,
            code=code,
            reason=reason,
            **again,
        )
        if wait is None:
            why = f"it failed ({code}: {reason}), and what comes after the pivot is not undone"
            self.stick(i, state, STUCK, why)
        else:
            self.back_off(i, state, BACKOFF, wait)


def failure_of(message: Message, step: Step[Any, Any]) -> tuple[str, str]:
    """The code and the reason of a failure reply."""
    code = (message.code if isinstance(message, Failed) else "") or "failed"
    reason = (message.reason if isinstance(message, Failed) else "") or f"{step.name} failed"
    return code, reason
