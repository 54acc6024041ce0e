"""Rows that are more than a command: conditions, delays, waits, items, queries of an outcome."""

from typing import Any

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition import Each, Wait
from order_sagas.actors.sagas.effects import Timer
from order_sagas.actors.sagas.forward import Forward
from order_sagas.actors.sagas.places import rows_of
from order_sagas.actors.sagas.state import (
    ASKED,
    BACKOFF,
    DONE,
    IDLE,
    NOT_STARTED,
    SENT,
    SKIPPED,
    StepState,
)
from order_sagas.actors.sagas.step import Step


class Waits(Forward):
    """Forward execution of the rows that `Forward` does not know."""

    __slots__ = ()

    def enter_row(self, i: int, step: Step[Any, Any], sent: list[str]) -> None:
        """Skip a row whose condition does not hold; else begin what its kind says."""
        if step.when and not self.made(i, step.when, step.when_takes):
            self.skip_row(i, step, "its condition does not hold")
        elif isinstance(step, Each):
            self.begin_items(i, step, sent)
        elif step.kind != "step":
            self.begin_wait(i, step)
        elif step.is_done_by_event:
            self.send_command(i, step, 1)  # there is none
        elif step.do is None:
            self.steps[i] = StepState(DONE, 0, self.now)
        else:
            self.send_command(i, step, 1)
            sent.append(step.name)
            if step.repeat_every:
                self.wait_on(i, step, self.steps[i])

    def skip_row(self, i: int, step: Step[Any, Any], reason: str) -> None:
        """Note that row `i` is skipped. It counts as passed, and is never undone."""
        self.steps[i] = StepState(SKIPPED, 0, self.now)
        self.note("saga.step_skipped", step=step.name, reason=reason)

    # --- delays and waits -----------------------------------------------------------------------

    def begin_wait(self, i: int, step: Step[Any, Any]) -> None:
        """Begin a `Delay` or a `Wait`: nothing is sent."""
        length = {"wait" if step.kind == "delay" else "within": step.within}
        self.note("saga.waiting", step=step.name, **length)
        self.wait_on(i, step, StepState(SENT, 0, self.now))

    def wait_on(self, i: int, step: Step[Any, Any], state: StepState) -> None:
        """Wait from now until the next repetition, or until the end if none comes before."""
        assert step.within
        at = state.since + step.within
        if step.repeat_every:
            at = min(at, self.now + step.repeat_every)
        self.steps[i] = StepState(SENT, state.attempt, state.since, at)
        self.wakes.append(Timer(at, i, state.attempt))

    def wait_passed(self, i: int, state: StepState) -> None:
        """End a `Delay`. For a `Wait`, send the reminder, or give up after `within`."""
        if self.rows[i].kind == "delay":
            self.step_done(i, state)
        elif not self.repeated(i, state):
            self.give_up(i, state)

    def timed_out(self, i: int, state: StepState) -> None:
        """Repeat the command of a step with `repeat_every`; handle others like any time-out."""
        if not self.repeated(i, state):
            super().timed_out(i, state)

    def repeated(self, i: int, state: StepState) -> bool:
        """Repeat the message of step `i`. Returns False if it has none, or if `within` is over."""
        step = self.rows[i]
        if not step.repeat_every or state.deadline >= state.since + (step.within or 0.0):
            return False
        number = state.attempt + 1
        self.note("saga.reminded", step=step.name, attempt=number)
        if isinstance(step, Wait):
            assert step.remind
            message = self.made(i, step.remind.send, step.remind.takes)
            self.send(step.remind.to, message, step.name, number, f"{step.name}:remind")
        else:
            assert step.do
            message = self.made(i, step.do, step.do_takes)
            self.send(step.to, message, step.name, number, step.name)
        self.wait_on(i, step, StepState(SENT, number, state.since))
        return True

    def begin_again(self, i: int, state: StepState) -> None:
        """Take up step `i` again that was stuck: ask, wait, or send its command once more."""
        step = self.rows[i]
        if step.ask:
            self.send_question(i, state)
        elif step.kind == "step":
            self.send_command(i, step, state.attempt + 1)
        else:
            self.wait_on(i, step, StepState(SENT, state.attempt, self.now))

    # --- questions for an outcome ---------------------------------------------------------------

    def no_answer(self, i: int, state: StepState) -> None:
        """Ask what became of the command of step `i`; give up after the last question."""
        step = self.rows[i]
        if state.phase == ASKED and not state.asked % step.retry.attempts:
            self.give_up(i, state)
            return
        waited = round(self.now - state.since, 6)
        self.note("saga.outcome_asked", step=step.name, attempt=state.attempt, waited=waited)
        self.send_question(i, state)

    def send_question(self, i: int, state: StepState) -> None:
        """Send the question of step `i`, and wait for its answer as for the command's."""
        step, asked = self.rows[i], state.asked + 1
        assert step.ask
        assert step.within
        message = self.made(i, step.ask, step.ask_takes)
        self.send(step.to, message, step.name, state.attempt, f"{step.name}:ask/{asked}")
        deadline = self.now + step.within
        self.steps[i] = StepState(ASKED, state.attempt, self.now, deadline, asked)
        self.wakes.append(Timer(deadline, i, state.attempt))

    def never_arrived(self, i: int, state: StepState) -> None:
        """Send the command of step `i` again, because the participant never received it."""
        step = self.rows[i]
        wait = step.retry.wait_after(state.attempt, f"{self.before.saga_id}/{step.name}")
        if wait is None:
            self.give_up(i, state)
            return
        self.note(
            "saga.command_lost",
            step=step.name,
            attempt=state.attempt,
            took=round(self.now - state.since, 6),
            retry_in=round(wait, 6),
        )
        self.back_off(i, state, BACKOFF, wait)

    # --- items ----------------------------------------------------------------------------------

    def begin_items(self, e: int, each: Each[Any, Any], sent: list[str]) -> None:
        """Begin the items of row `e`, now that they are known."""
        count = len(self.items_of(e))
        if not count:
            self.skip_row(e, each, "there are no items")
            return
        self.steps += [NOT_STARTED] * count
        self.items += (e,) * count
        self.rows = rows_of(self.saga, self.items)
        self.steps[e] = StepState(SENT, 0, self.now)

    def advance_items(self, sent: list[str]) -> None:
        """Send the items of the current stage whose turn it is; complete rows whose items are done.

        Appends the names of the items to `sent`.
        """
        for e in self.saga.stage_steps[self.stage]:
            each = self.saga.rows[e]
            if not isinstance(each, Each) or self.steps[e].phase != SENT:
                continue
            places = self.places(e)
            for place in places:
                if self.steps[place].phase == IDLE:
                    self.send_command(place, self.rows[place], 1)
                    sent.append(self.rows[place].name)
                if each.in_order and self.steps[place].phase != DONE:
                    break
            if all(self.steps[place].phase == DONE for place in places):
                took = round(self.now - self.steps[e].since, 6)
                self.steps[e] = StepState(DONE, 0, self.now)
                self.note("saga.step_completed", step=each.name, attempt=0, took=took)

    def item_place(self, e: int, kind: str, message: Message, waiting: tuple[int, ...]) -> int:
        """The place of the item that a reply answers: the one it names, or the first that waits.

        Without items, the place of the row itself.
        """
        places = self.places(e)
        for place in places:
            if self.rows[place].name == message.step:
                return place
        for place in places:
            if self.steps[place].phase in waiting:
                return place
        return places[0] if places else e
