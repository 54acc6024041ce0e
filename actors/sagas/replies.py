"""What happens to a saga in flight: a reply, a deadline that passes, an operator's command."""

from typing import Any

from order_sagas.actors.messages import (
    CancelSaga,
    Message,
    OperatorCommand,
    RepairDeadlines,
    ResumeSaga,
    RetryStep,
    SkipStep,
    status,
)
from order_sagas.actors.sagas.child_events import ChildEvents
from order_sagas.actors.sagas.effects import Timer
from order_sagas.actors.sagas.far_deadlines import far_places, longest_wait
from order_sagas.actors.sagas.operator_rules import refusal, stuck_steps
from order_sagas.actors.sagas.places import WHOLE_SAGA, place_named, row_index
from order_sagas.actors.sagas.state import (
    ASKED,
    BACKOFF,
    CANCELLED,
    DONE,
    FAILED,
    IDLE,
    NO_DEADLINE,
    SENT,
    SKIPPED,
    STUCK,
    UNDO_BACKOFF,
    UNDO_SENT,
    UNDONE,
    StepState,
)
from order_sagas.actors.sagas.step import Step
from order_sagas.actors.sagas.transition import GOING, UNDOING


class Events(ChildEvents):
    """Decides what an event means in the current state. An event that does not fit is ignored."""

    __slots__ = ()

    def reply(self, message: Message) -> None:
        """Handle the reply of a participant.

        Ignored with a reason if it is stale, a duplicate, or late.
        """
        places = self.saga.answers.get(type(message), ())
        if not places:
            return self.message_of_parent(message)
        i, kind = self.place_of(message, places)
        waiting = UNDOING if kind == "undone" else GOING
        if self.items and i in self.items:
            i = self.item_place(i, kind, message, waiting)
        state, step = self.steps[i], self.rows[i]
        if (
            state.phase in waiting
            and message.attempt not in (0, state.attempt)
            and step.kind != "wait"
        ):
            reason = f"stale attempt {message.attempt}, now at {state.attempt}"
            return self.ignore(message, reason, step)
        if kind == "undone":
            if state.phase in UNDOING:
                return self.step_undone(i, state)
            return self.ignore(message, _why_no_undo(state), step)
        if kind == "unknown":
            if state.phase == ASKED:
                return self.never_arrived(i, state)
            return self.ignore(message, "no question is open", step)
        if state.phase in GOING:
            if kind == "done":
                if step.check and (problem := self.difference(i, message)):
                    return self.answered_otherwise(i, state, message, problem)
                return self.step_done(i, state, message)
            if self.stage <= self.saga.pivot_stage:
                return self.step_failed(i, state, message)
            if state.phase in (SENT, ASKED):
                return self.failed_after_pivot(i, state, message)
            return self.ignore(message, "it failed before, and is to be sent again", step)
        if kind == "failed" and state.phase in UNDOING and step.is_child:
            return self.step_undone(i, state)  # it was cancelled before it was asked to
        if kind == "done" and UNDO_SENT <= state.phase <= UNDONE:
            self.undo_late_event(message, step)
            return self.ignore(
                message, "late success: its compensation was already sent", step, record=True
            )
        if state.phase == IDLE:
            if kind == "done" and self.code and self.undo_late_event(message, step):
                return self.ignore(message, "the step was not started", step)
            self.early = f"step {step.name!r} was not started"
            return None
        return self.ignore(message, _why_no_reply(state), step)

    def difference(self, i: int, message: Message) -> str:
        """How a reply differs from what step `i` asked for, by its `check`; "" if it does not."""
        check = self.rows[i].check
        assert check
        e = row_index(self.saga, self, i)
        if e == i:
            return check(self.before.start, message)
        item = self.items_of(e)[self.items[: i - len(self.saga.rows)].count(e)]
        return check(self.before.start, item, message)

    def answered_otherwise(self, i: int, state: StepState, message: Message, problem: str) -> None:
        """Mark step `i` as stuck, because it was answered with something else than was asked."""
        step, reason = self.rows[i], f"answered {status(message)}, but {problem}"
        if state.phase == STUCK:
            return self.ignore(message, reason, step, record=True)
        return self.stick(i, state, STUCK, reason)

    def after_end(self, message: Message) -> None:
        """Ignore a message to a saga that has ended.

        If it is the event of a step that was undone, or never begun, its compensation is sent.
        """
        places = self.saga.answers.get(type(message), ())
        if places and self.status == CANCELLED:
            i, kind = self.place_of(message, places)
            if kind == "done" and self.steps[i].phase in (IDLE, UNDONE):
                self.undo_late_event(message, self.saga.rows[i])
        if not places:
            return self.message_of_parent(message)
        return self.ignore(message, "the saga has ended")

    def undo_late_event(self, message: Message, step: Step[Any, Any]) -> bool:
        """Send the compensation of a step that its participant did after the saga turned back.

        Only for a step that is done by an event, and whose compensation is not acknowledged: what
        was sent may have come before there was something to undo, and no command can be refused.
        Returns whether it was sent.
        """
        if not (step.is_done_by_event and step.undo and step.undone is None):
            return False
        undo = self.made(self.saga.index[step.name], step.undo, step.undo_takes)
        self.send(step.to, undo, step.name, 0, f"{step.name}:undo:{self.cause}")
        return True

    def place_of(self, message: Message, places: tuple[tuple[int, str], ...]) -> tuple[int, str]:
        """The step that a reply answers: the one it names, otherwise the one that waits for it."""
        if len(places) == 1:
            return places[0]
        for place in places:
            row = self.saga.rows[place[0]]
            if row.name == message.step or self.saga.row_named(message.step) is row:
                return place
        for place in places:
            phase = self.steps[place[0]].phase
            undo = place[1] == "undone"
            if phase in ((UNDO_SENT, UNDO_BACKOFF) if undo else (SENT, BACKOFF, ASKED)):
                return place
        return places[0]

    def deadline_passed(self, wake: Timer) -> None:
        """Handle a timer: time out the step, or send it again after its backoff.

        Ignores stale timers.
        """
        if wake.step == WHOLE_SAGA:
            if self.due == wake.at:
                self.saga_timed_out()
            return
        state = self.steps[wake.step]
        if state.deadline != wake.at:
            return  # stale: the step was answered, or waits for another attempt
        if state.phase == SENT or state.phase == ASKED:
            step = self.rows[wake.step]
            if step.ask:
                self.no_answer(wake.step, state)
            elif step.kind == "step":
                self.timed_out(wake.step, state)
            else:
                self.wait_passed(wake.step, state)
        elif state.phase == BACKOFF:
            step = self.rows[wake.step]
            self.note("saga.step_retried", step=step.name, attempt=state.attempt + 1)
            self.send_command(wake.step, step, state.attempt + 1)
        elif state.phase == UNDO_SENT:
            self.undo_timed_out(wake.step, state)
        elif state.phase == UNDO_BACKOFF:
            step = self.rows[wake.step]
            self.note("saga.undo_retried", step=step.name, attempt=state.attempt + 1)
            self.send_undo(wake.step, step, state.attempt + 1)

    def saga_timed_out(self) -> None:
        """Compensate, because the deadline of the whole saga has passed.

        If the pivot has happened, or may have, only note it: the saga goes on.
        """
        assert self.saga.deadline
        self.due = NO_DEADLINE
        waited = round(self.now - self.before.started_at, 6)
        reason = f"not completed within {self.saga.deadline:g} s"
        if self.is_past_pivot:
            reason += "; it goes on, because what comes after the pivot is not undone"
            self.note("saga.deadline_passed", waited=waited, reason=reason)
            return
        undo: list[str] = []
        sent: list[str] = []
        self.note("saga.deadline_passed", waited=waited, reason=reason, undo=undo, sent=sent)
        undo += self.compensate("", "deadline", reason)
        self.go_back(sent)

    def operator(self, command: OperatorCommand) -> None:
        """Carry out an operator's command.

        Ignored with a reason if the saga's state does not allow it.
        """
        if isinstance(command, RepairDeadlines):
            return self.repair_deadlines(command)
        if reason := refusal(command, self.saga, self):
            return self.ignore(command, reason)
        if isinstance(command, CancelSaga):
            undo: list[str] = []
            sent: list[str] = []
            self.operator_note(command, "cancel", "", undo=undo, sent=sent)
            reason = command.why or "cancelled by an operator"
            undo += self.compensate("", "cancelled_by_operator", reason)
            self.go_back(sent)
            return None
        stuck = stuck_steps(self.steps)
        if isinstance(command, RetryStep | SkipStep):
            place = place_named(self.saga, self, command.step)
            stuck = [i for i in stuck if i == place]
        if isinstance(command, SkipStep):
            if not command.why:
                return self.ignore(command, "skipping a step needs a reason (`why`)")
            return self.skip(command, stuck[0])
        for i in stuck:
            state, step = self.steps[i], self.rows[i]
            action = "resume" if isinstance(command, ResumeSaga) else "retry"
            self.operator_note(command, action, step.name, sent=[step.name])
            if state.phase == STUCK:
                self.begin_again(i, state)
            else:
                self.send_undo(i, step, state.attempt + 1)
        self.settle_status()
        return None

    def repair_deadlines(self, command: RepairDeadlines) -> None:
        """Begin the waits anew whose deadlines lie farther ahead than the saga ever sets them."""
        far = far_places(self.saga, self.before, self.now)
        if not far:
            return self.ignore(command, "no deadline lies too far ahead")
        for i in far:
            if i == WHOLE_SAGA:
                assert self.saga.deadline
                self.due = self.now + self.saga.deadline
                self.wakes.append(Timer(self.due, WHOLE_SAGA, 0))
                self.operator_note(command, "repair deadlines", "")
                continue
            state, step = self.steps[i], self.rows[i]
            if step.kind in ("delay", "wait"):
                self.wait_on(i, step, StepState(SENT, state.attempt, self.now))
            else:
                at = self.now + longest_wait(step, state)
                self.steps[i] = StepState(state.phase, state.attempt, self.now, at, state.asked)
                self.wakes.append(Timer(at, i, state.attempt))
            self.operator_note(command, "repair deadlines", step.name)
        return None

    def skip(self, command: SkipStep, i: int) -> None:
        """Treat stuck step `i` as done, or as undone, and go on."""
        state, step = self.steps[i], self.rows[i]
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

    def operator_note(
        self, command: OperatorCommand, action: str, step: str, **more: list[str]
    ) -> None:
        """Note an operator's action, with who asked for it and why, in the saga's history."""
        named = {"step": step} if step else {}
        by = {"action": action, "by": command.by, "why": command.why}
        self.note("saga.operator", **by, **named, **more)


def _why_no_reply(state: StepState) -> str:
    if state.phase == SKIPPED:
        return "the step was skipped"
    if state.phase in (DONE, FAILED):
        return "duplicate: the step was already answered"
    return "the step is being compensated"


def _why_no_undo(state: StepState) -> str:
    if state.phase == UNDONE:
        return "duplicate: the step was already undone"
    return "no compensation was sent"
