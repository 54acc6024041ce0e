"""What a saga does next: a pure function, and nothing else.

    (definition, progress, message, now) -> (progress, what to send, timers to set, what to log)

It imports no actor, no Kafka, no database and no clock; the saga actor carries out what it
decides. A message that does not fit the present state changes nothing and is noted as ignored,
with the reason: under at-least-once delivery, duplicates and late replies are ordinary.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from actors.clock import iso
from actors.messages import (
    SCHEMA_VERSION,
    CancelSaga,
    Failed,
    Message,
    OperatorCommand,
    ResumeSaga,
    RetryStep,
    SkipStep,
    status,
)
from actors.sagas.definition import Failure, Participant, Saga, Step
from actors.sagas.progress import NOT_STARTED, Entry, Phase, Progress, Status, StepState, saga_id_of


class Send(msgspec.Struct, frozen=True, gc=False):
    """A message for a participant."""

    to: Participant
    message: Message


class Wake(msgspec.Struct, frozen=True, gc=False):
    """A timer, and which wait it ends: it is stale unless the step still waits until just `at`.

    Thespian cannot cancel a wakeup, so the timer carries its identity.
    """

    at: float
    step: int
    attempt: int


class Note(msgspec.Struct, frozen=True, gc=False):
    """A line for the log: one transition, or one message that was ignored."""

    event: str
    seq: int
    fields: dict[str, Any]


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What to do. `progress` is the very same object when nothing changed."""

    progress: Progress
    sends: list[Send]
    wakes: list[Wake]
    notes: list[Note]


IDLE, SENT, BACKOFF, STUCK = Phase.IDLE, Phase.SENT, Phase.BACKOFF, Phase.STUCK
DONE, FAILED = Phase.DONE, Phase.FAILED
UNDO_SENT, UNDO_BACKOFF = Phase.UNDO_SENT, Phase.UNDO_BACKOFF
UNDO_STUCK, UNDONE = Phase.UNDO_STUCK, Phase.UNDONE

_GOING = (SENT, BACKOFF, STUCK)
_UNDOING = (UNDO_SENT, UNDO_BACKOFF, UNDO_STUCK)


def advance(saga: Saga, progress: Progress | None, message: Message | Wake, now: float) -> Decision:
    """Decide what `message` means to the saga at `now` (seconds since the Unix epoch).

    `progress` is None for the message that starts it. Deterministic: the same arguments always
    give the same decision, event ids and jitter included.
    """
    if progress is None:
        if type(message) is not saga.starts_on:
            raise TypeError(f"saga {saga.name!r} starts on {saga.starts_on.__name__}")
        turn = _Turn(saga, _unstarted(saga, message, now), now, _cause(message))
        turn.start()
        return turn.decision()
    turn = _Turn(saga, progress, now, "")
    if isinstance(message, Wake):
        turn.cause = _timer_name(saga, progress, message)
        turn.deadline_passed(message)
    else:
        turn.cause = _cause(message)
        if progress.ended:
            turn.ignore(message, "the saga has ended")
        elif isinstance(message, OperatorCommand):
            turn.operator(message)
        else:
            turn.reply(message)
    return turn.decision()


def wakes_of(progress: Progress) -> list[Wake]:
    """The timers a restored saga has to set again."""
    return [
        Wake(state.deadline, i, state.attempt)
        for i, state in enumerate(progress.steps)
        if state.deadline
    ]


def _cause(message: Any) -> str:
    return message.event_id or status(message)


def _timer_name(saga: Saga, progress: Progress, wake: Wake) -> str:
    undo = ":undo" if progress.steps[wake.step].phase >= UNDO_SENT else ""
    return f"timer:{saga.rows[wake.step].name}{undo}:{wake.attempt}"


def _unstarted(saga: Saga, start: Message, now: float) -> Progress:
    return Progress(
        saga_id=saga_id_of(saga.name, start.order_id),
        order_id=start.order_id,
        saga=saga.name,
        version=saga.version,
        status=Status.RUNNING,
        stage=0,
        steps=(NOT_STARTED,) * len(saga.rows),
        start=start,
        started_at=now,
    )


class _Turn:
    """One call of `advance`: the working copy of a progress, and what came of it."""

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

    # --- what happened ------------------------------------------------------------------------

    def start(self) -> None:
        sent: list[str] = []
        self.note(
            "saga.started",
            version=self.saga.version,
            steps=[step.name for step in self.saga.rows],
            sent=sent,
        )
        self.enter_stage(sent)
        self.go_forward(sent)

    def reply(self, message: Message) -> None:
        places = self.saga.answers.get(type(message), ())
        if not places:
            return self.ignore(message, "this saga knows no such reply")
        i, kind = self.place_of(message, places)
        state, step = self.steps[i], self.saga.rows[i]
        waiting = _UNDOING if kind == "undone" else _GOING
        if state.phase in waiting and message.attempt not in (0, state.attempt):
            reason = f"stale attempt {message.attempt}, now at {state.attempt}"
            return self.ignore(message, reason, step)
        if kind == "undone":
            if state.phase in _UNDOING:
                return self.step_undone(i, state)
            return self.ignore(message, _why_no_undo(state), step)
        if state.phase in _GOING:
            if kind == "done":
                return self.step_done(i, state)
            if self.stage <= self.saga.pivot_stage:
                return self.step_failed(i, state, message)
        if kind == "done" and state.phase >= UNDO_SENT:
            return self.ignore(
                message, "late success: its compensation was already sent", step, record=True
            )
        return self.ignore(message, _why_no_reply(state), step)

    def deadline_passed(self, wake: Wake) -> None:
        state = self.steps[wake.step]
        if state.deadline != wake.at:
            return  # stale: the step was answered, or waits for another attempt
        if state.phase == SENT:
            self.timed_out(wake.step, state)
        elif state.phase == BACKOFF:
            step = self.saga.rows[wake.step]
            self.note("saga.step_retried", step=step.name, attempt=state.attempt + 1)
            self.send_command(wake.step, step, state.attempt + 1)
        elif state.phase == UNDO_SENT:
            self.undo_timed_out(wake.step, state)
        elif state.phase == UNDO_BACKOFF:
            step = self.saga.rows[wake.step]
            self.note("saga.undo_retried", step=step.name, attempt=state.attempt + 1)
            self.send_undo(wake.step, step, state.attempt + 1)

    def operator(self, command: OperatorCommand) -> None:
        stuck = [i for i, s in enumerate(self.steps) if s.phase in (STUCK, UNDO_STUCK)]
        if isinstance(command, CancelSaga):
            if self.code or self.stage > self.saga.pivot_stage:
                return self.ignore(command, "it is too late to cancel")
            undo: list[str] = []
            sent: list[str] = []
            self.operator_note(command, "cancel", "", undo=undo, sent=sent)
            reason = command.why or "an operator cancelled it"
            undo += self.compensate("", "cancelled_by_operator", reason)
            self.go_back(sent)
            return None
        if isinstance(command, RetryStep | SkipStep):
            i = self.saga.index.get(command.step, -1)
            if i not in stuck:
                return self.ignore(command, f"step {command.step!r} is not stuck")
            stuck = [i]
        elif not stuck:
            return self.ignore(command, "no step is stuck")
        if isinstance(command, SkipStep):
            if not command.why:
                return self.ignore(command, "skipping a step needs a reason (`why`)")
            return self.skip(command, stuck[0])
        for i in stuck:
            state, step = self.steps[i], self.saga.rows[i]
            action = "resume" if isinstance(command, ResumeSaga) else "retry"
            self.operator_note(command, action, step.name, sent=[step.name])
            again = self.send_command if state.phase == STUCK else self.send_undo
            again(i, step, state.attempt + 1)
        self.settle_status()
        return None

    def ignore(
        self, message: Message, reason: str, step: Step | None = None, *, record: bool = False
    ) -> None:
        fields = {"cause": self.cause, "status": status(message), "reason": reason}
        if step:
            fields["step"] = step.name
        self.notes.append(Note("saga.message_ignored", self.seq, fields))
        if record:
            name = step.name if step else ""
            entry = Entry(
                self.now, "saga.message_ignored", name, message.attempt, self.cause, reason
            )
            self.history.append(entry)

    # --- forward ------------------------------------------------------------------------------

    def step_done(self, i: int, state: StepState) -> None:
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
        """Enter stages until one has to be waited for; complete after the last."""
        stages = self.saga.stage_steps
        while all(self.steps[i].phase == DONE for i in stages[self.stage]):
            self.stage += 1
            if self.stage == len(stages):
                self.status = Status.COMPLETED
                self.ended_at = self.now
                self.note("saga.completed", took=round(self.now - self.before.started_at, 6))
                return
            self.enter_stage(sent)

    def enter_stage(self, sent: list[str]) -> None:
        for i in self.saga.stage_steps[self.stage]:
            step = self.saga.rows[i]
            if step.do is None:
                self.steps[i] = StepState(DONE, 0, self.now)
            else:
                self.send_command(i, step, 1)
                sent.append(step.name)

    def send_command(self, i: int, step: Step, attempt: int) -> None:
        assert step.do
        self.send(step.to, step.do(self.before.start), step.name, attempt, step.name)
        if step.done is None:
            self.steps[i] = StepState(DONE, attempt, self.now)
            return
        assert step.within
        deadline = self.now + step.within
        self.steps[i] = StepState(SENT, attempt, self.now, deadline)
        self.wakes.append(Wake(deadline, i, attempt))

    def timed_out(self, i: int, state: StepState) -> None:
        step = self.saga.rows[i]
        waited = round(self.now - state.since, 6)
        wait = step.retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}")
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
            reason = f"{step.name}: no answer within {step.within:g} s, {state.attempt} attempt(s)"
            undo += self.compensate(step.name, "timed_out", reason)
            self.go_back(sent)

    def step_failed(self, i: int, state: StepState, message: Message) -> None:
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

    # --- backward -----------------------------------------------------------------------------

    def compensate(self, step: str, code: str, reason: str) -> list[str]:
        """Turn round; answers the names of the steps to undo, newest first.

        A step that was sent and not answered counts: its outcome is unknown.
        """
        self.status = Status.COMPENSATING
        self.failed_step, self.code, self.reason = step, code, reason
        return [
            self.saga.rows[i].name
            for stage in reversed(self.saga.stage_steps[: self.stage + 1])
            for i in stage
            if self.saga.rows[i].undo and self.steps[i].phase in (DONE, SENT, BACKOFF, STUCK)
        ]

    def go_back(self, sent: list[str]) -> None:
        """Undo stages, newest first, until one has to be waited for; end after the first."""
        while self.stage >= 0:
            waiting = False
            for i in self.saga.stage_steps[self.stage]:
                phase = self.steps[i].phase
                if phase in (DONE, SENT, BACKOFF, STUCK):
                    step = self.saga.rows[i]
                    if step.undo:
                        self.send_undo(i, step, 1)
                        sent.append(step.name)
                    else:
                        self.steps[i] = StepState(UNDONE, 0, self.now)
                waiting = waiting or self.steps[i].phase in _UNDOING
            if waiting:
                return
            self.stage -= 1
        self.stage = 0
        self.status = Status.CANCELLED
        self.ended_at = self.now
        failure = Failure(self.failed_step, self.code, self.reason)
        for notice in self.saga.cancelled:
            message = notice.send(self.before.start, failure)
            self.send(notice.to, message, "", 0, f"cancelled:{notice.to.name}")
        self.note(
            "saga.cancelled",
            took=round(self.now - self.before.started_at, 6),
            code=self.code,
            reason=self.reason,
        )

    def send_undo(self, i: int, step: Step, attempt: int) -> None:
        assert step.undo
        self.send(step.to, step.undo(self.before.start), step.name, attempt, f"{step.name}:undo")
        if step.undone is None:
            self.steps[i] = StepState(UNDONE, attempt, self.now)
            return
        deadline = self.now + step.undo_within
        self.steps[i] = StepState(UNDO_SENT, attempt, self.now, deadline)
        self.wakes.append(Wake(deadline, i, attempt))

    def step_undone(self, i: int, state: StepState) -> None:
        step = self.saga.rows[i]
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
        step = self.saga.rows[i]
        waited = round(self.now - state.since, 6)
        noted = {"step": step.name, "attempt": state.attempt, "waited": waited}
        wait = step.undo_retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}/undo")
        if wait is None:
            self.note("saga.undo_timed_out", **noted)
            self.stick(
                i, state, UNDO_STUCK, f"its compensation had no answer {state.attempt} times"
            )
        else:
            self.note("saga.undo_timed_out", **noted, retry_in=round(wait, 6))
            self.back_off(i, state, UNDO_BACKOFF, wait)

    # --- both ---------------------------------------------------------------------------------

    def place_of(self, message: Message, places: tuple[tuple[int, str], ...]) -> tuple[int, str]:
        """Which step a reply answers: the one it names, else the one that waits for it."""
        if len(places) == 1:
            return places[0]
        for place in places:
            if self.saga.rows[place[0]].name == message.step:
                return place
        for place in places:
            waiting = self.steps[place[0]].phase
            if waiting in ((UNDO_SENT, UNDO_BACKOFF) if place[1] == "undone" else (SENT, BACKOFF)):
                return place
        return places[0]

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

    def back_off(self, i: int, state: StepState, phase: Phase, wait: float) -> None:
        at = self.now + wait
        self.steps[i] = StepState(phase, state.attempt, state.since, at)
        self.wakes.append(Wake(at, i, state.attempt))

    def stick(self, i: int, state: StepState, phase: Phase, reason: str) -> None:
        self.steps[i] = StepState(phase, state.attempt, state.since)
        self.status = Status.NEEDS_ATTENTION
        self.note("saga.needs_attention", step=self.saga.rows[i].name, reason=reason)

    def skip(self, command: SkipStep, i: int) -> None:
        state, step = self.steps[i], self.saga.rows[i]
        sent: list[str] = []
        self.operator_note(command, "skip", step.name, sent=sent)
        if state.phase == STUCK:
            self.steps[i] = StepState(DONE, state.attempt, self.now)
            self.settle_status()
            self.go_forward(sent)
        else:
            self.steps[i] = StepState(UNDONE, state.attempt, self.now)
            self.settle_status()
            self.go_back(sent)

    def settle_status(self) -> None:
        """A saga needs attention for as long as one of its steps is stuck."""
        if self.status == Status.NEEDS_ATTENTION and not any(
            state.phase in (STUCK, UNDO_STUCK) for state in self.steps
        ):
            self.status = Status.COMPENSATING if self.code else Status.RUNNING

    def operator_note(
        self, command: OperatorCommand, action: str, step: str, **more: list[str]
    ) -> None:
        named = {"step": step} if step else {}
        by = {"action": action, "by": command.by, "why": command.why}
        self.note("saga.operator", **by, **named, **more)

    def note(self, event: str, **fields: Any) -> None:
        self.seq += 1
        fields["cause"] = self.cause
        self.notes.append(Note(event, self.seq, fields))
        remark = fields.get("reason") or fields.get("why") or ""
        self.history.append(
            Entry(
                self.now,
                event,
                fields.get("step", ""),
                fields.get("attempt", 0),
                self.cause,
                f"{fields['action']} by {fields['by']}: {remark}" if "action" in fields else remark,
            )
        )


def _why_no_reply(state: StepState) -> str:
    if state.phase == IDLE:
        return "the step was not started"
    if state.phase in (DONE, FAILED):
        return "duplicate: the step was already answered"
    return "the step is being undone"


def _why_no_undo(state: StepState) -> str:
    if state.phase == UNDONE:
        return "duplicate: the step was already undone"
    return "no compensation was sent"
