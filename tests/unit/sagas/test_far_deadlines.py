"""The command that begins waits anew whose deadlines were set by a clock that was ahead."""

from typing import Any

from order_sagas.actors.messages import OrderCreated, RepairDeadlines
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Delay, Saga, days
from tests.support.turns import Turns

YEARS = 10 * 365 * 24 * 3600.0


def saga_from_a_wrong_clock(saga: Saga[Any]) -> Turns:
    """A saga that began while the clock was ten years ahead, with the right clock."""
    turns = Turns(saga, OrderCreated(order_id="o-1"), now=1000.0 + YEARS)
    turns.now = 1000.0
    return turns


def test_a_far_deadline_is_set_anew_from_now() -> None:
    """The timer of the former one is stale, and the step times out as usual."""
    turns = saga_from_a_wrong_clock(PLACE_ORDER)
    turns.answer(RepairDeadlines, by="ann")
    assert turns.progress

    assert 1000.0 < (turns.progress.deadline or 0.0) < 1100.0
    assert turns.notes[-1].fields["action"] == "repair deadlines"
    turns.time_out()
    assert "saga.step_timed_out" in [note.event for note in turns.notes]


def test_a_delay_and_the_deadline_of_the_saga_begin_anew() -> None:
    """Each by its own length."""
    saga = Saga("slow", 1, OrderCreated, [Delay("cool down", days(3))], deadline=days(9))
    turns = saga_from_a_wrong_clock(saga)
    turns.answer(RepairDeadlines)
    assert turns.progress

    assert 1000.0 + days(3) == turns.progress.steps[0].deadline
    assert 1000.0 + days(9) == turns.progress.due


def test_a_regular_deadline_is_kept() -> None:
    """The command is ignored, with the reason."""
    turns = Turns(PLACE_ORDER, OrderCreated(order_id="o-1"))
    before = turns.progress
    turns.answer(RepairDeadlines)

    assert ["no deadline lies too far ahead"] == turns.ignored
    assert before is not None
    assert turns.progress is not None
    assert before.deadline == turns.progress.deadline
