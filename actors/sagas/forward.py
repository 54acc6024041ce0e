"""Runs a saga forwards, stage by stage, until the last one is complete."""

from order_sagas.actors.messages import Failed, Message
from order_sagas.actors.sagas.compensation import Backward
from order_sagas.actors.sagas.definition import Step
from order_sagas.actors.sagas.effects import Timer
from order_sagas.actors.sagas.state import (
    BACKOFF,
    COMPLETED,
    DONE,
    FAILED,
    SENT,
    STUCK,
    StepState,
)
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
        self.enter_stage(sent)
        self.go_forward(sent)

    def step_done(self, i: int, state: StepState) -> None:
        """Note that step `i` is done, and go on if its stage is complete."""
        step = self.saga.rows[i]
        sent: list[str] = []
        self.steps[i] = StepState(DONE, state.attempt, self.now)
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
            for i in stages[self.stage]:
                if self.steps[i].phase != DONE:
                    return
            self.stage += 1
            if self.stage == len(stages):
                self.status = COMPLETED
                self.ended_at = self.now
                self.note("saga.completed", took=round(self.now - self.before.started_at, 6))
                return
            self.enter_stage(sent)

    def enter_stage(self, sent: list[str]) -> None:
        """Send the commands of the current stage. Appends the names of the steps to `sent`."""
        for i in self.saga.stage_steps[self.stage]:
            step = self.saga.rows[i]
            if step.do is None:
                if step.done is None:
                    self.steps[i] = StepState(DONE, 0, self.now)
                else:
                    self.send_command(i, step, 1)  # waits for an event
            else:
                self.send_command(i, step, 1)
                sent.append(step.name)

    def send_command(self, i: int, step: Step, attempt: int) -> None:
        """Send the command of step `i`, if it has one, and set its deadline if it has a reply."""
        if step.do is not None:
            self.send(step.to, step.do(self.before.start), step.name, attempt, step.name)
        if step.done is None:
            self.steps[i] = StepState(DONE, attempt, self.now)
            return
        assert step.within
        deadline = self.now + step.within
        self.steps[i] = StepState(SENT, attempt, self.now, deadline)
        self.wakes.append(Timer(deadline, i, attempt))

    def timed_out(self, i: int, state: StepState) -> None:
        """Retry step `i` later.

        If no attempts are left, compensate; after the pivot, mark it stuck.
        """
        step = self.saga.rows[i]
        waited = round(self.now - state.since, 6)
        wait = (
            step.retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}")
            if step.do is not None
            else None
        )
        noted = {"step": step.name, "attempt": state.attempt, "waited": waited}
        if wait is not None:
            self.note("saga.step_timed_out", **noted, retry_in=round(wait, 6))
            self.back_off(i, state, BACKOFF, wait)
        elif self.stage > self.saga.pivot_stage or not (step.undo or step.needs_no_undo):
            self.note("saga.step_timed_out", **noted)
            self.stick(i, state, STUCK, "no answer, and what comes after the pivot is not undone")
        else:
            undo: list[str] = []
            sent: list[str] = []
            self.note("saga.step_timed_out", **noted, undo=undo, sent=sent)
            reason = (
                f"{step.name}: no answer within {step.within:g} s, {many(state.attempt, 'attempt')}"
            )
            undo += self.compensate(step.name, "timed_out", reason)
            self.go_back(sent)

    def step_failed(self, i: int, state: StepState, message: Message) -> None:
        """Compensate, because step `i` was answered with a failure."""
        step = self.saga.rows[i]
        code = (message.code if isinstance(message, Failed) else "") or "failed"
        reason = (message.reason if isinstance(message, Failed) else "") or f"{step.name} failed"
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
