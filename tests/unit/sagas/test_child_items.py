"""A child saga for each item: they are started, waited for, undone and cancelled together."""

from typing import Any

import pytest

from order_sagas import Each
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import CancelSaga
from order_sagas.actors.sagas import Phase, Status
from order_sagas.actors.sagas.child import Child
from order_sagas.actors.sagas.child_messages import (
    CHILDREN,
    ChildCancelled,
    ChildCompleted,
    UndoChild,
    parent_of,
)
from order_sagas.actors.sagas.definition import Saga, Step
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.shape import shape_of
from order_sagas.actors.sagas.state import decode, encode
from tests.support.insured_groups import AT_ONCE, HURRIED, IN_ORDER, people, wanted_for
from tests.support.insured_trips import (
    BOOK,
    CONFIRM,
    INSURE_TRIP,
    INSURER,
    InsuranceWanted,
    SignPolicy,
    TripBooked,
    TripPlanned,
    TripRefused,
    TripUnbooked,
)
from tests.support.turns import Turns

PLANNED = TripPlanned(order_id="T-1", insurance="I-1,I-2,I-3")


def begun(saga: Saga[Any] = AT_ONCE) -> Turns:
    """A trip that is booked, and waits for its insurances."""
    turns = Turns(saga, PLANNED)
    turns.answer(TripBooked)
    return turns


def sent(turns: Turns, kind: type[Any]) -> list[str]:
    """The orders of the children that messages of this class went to, oldest first."""
    return [send.message.order_id for send in turns.sends if type(send.message) is kind]


def completed(turns: Turns, *numbers: int) -> None:
    """These children have completed."""
    for number in numbers:
        turns.answer(ChildCompleted, step=f"insure[{number}]")


def test_each_item_starts_a_child_of_its_own() -> None:
    """On the topic of the child's first step, under the order id that the item gives it."""
    turns = begun()
    starts = [send for send in turns.sends if type(send.message) is InsuranceWanted]

    assert ["I-1", "I-2", "I-3"] == sent(turns, InsuranceWanted)
    assert {INSURER.topic} == {send.to.topic for send in starts}
    assert [("book-trip/T-1", f"insure[{n}]") for n in range(3)] == [
        parent_of(send.message) for send in starts
    ]
    assert turns.progress == decode(encode(turns.progress), AT_ONCE)


def test_the_row_is_complete_when_all_children_have_completed() -> None:
    """In whatever order they end."""
    turns = begun()
    completed(turns, 2, 0)
    assert ["book", "insure"] == [turns.sends[n].message.step.partition("[")[0] for n in (0, -1)]

    completed(turns, 1)

    assert "confirm" == turns.sends[-1].message.step


def test_children_one_after_the_other() -> None:
    turns = begun(IN_ORDER)
    assert ["I-1"] == sent(turns, InsuranceWanted)
    completed(turns, 0)
    assert ["I-1", "I-2"] == sent(turns, InsuranceWanted)

    turns.answer(ChildCancelled, step="insure[1]", code="no")

    assert Status.COMPENSATING == turns.status
    assert ["I-1"] == sent(turns, UndoChild)
    assert ["I-1", "I-2"] == sent(turns, InsuranceWanted)


def test_a_child_that_fails_undoes_all_the_others() -> None:
    """Those that have completed, and those that still run; then what came before."""
    turns = begun()
    completed(turns, 0)
    turns.answer(ChildCancelled, step="insure[1]", code="no", reason="too old")

    assert ["I-1", "I-3"] == sorted(sent(turns, UndoChild))
    undo = next(send for send in turns.sends if type(send.message) is UndoChild)
    assert CHILDREN == undo.to
    assert turns.progress
    assert ("insure[1]", "no", "too old") == (
        turns.progress.failed_step, turns.progress.code, turns.progress.reason,
    )  # fmt: skip
    turns.answer(ChildCancelled, step="insure[2]")
    assert "insure[2]" == turns.notes[-1].fields["step"]
    turns.answer(ChildCancelled, step="insure[0]")
    turns.answer(TripUnbooked)
    assert Status.CANCELLED == turns.status


def test_cancelling_the_parent_reaches_every_child() -> None:
    turns = begun()
    completed(turns, 1)
    turns.deliver(CancelSaga(order_id="T-1", by="operator", why="changed his mind"))

    assert ["I-1", "I-2", "I-3"] == sorted(sent(turns, UndoChild))


def test_a_child_that_times_out_is_undone_with_the_others() -> None:
    turns = begun(HURRIED)
    completed(turns, 0, 2)
    turns.time_out()

    assert Status.COMPENSATING == turns.status
    assert ["I-1", "I-2", "I-3"] == sorted(sent(turns, UndoChild))
    assert turns.progress
    assert ("insure[1]", "timed_out") == (turns.progress.failed_step, turns.progress.code)


def test_a_failure_after_the_children_undoes_them_all() -> None:
    turns = begun()
    completed(turns, 0, 1, 2)
    turns.answer(TripRefused)

    assert ["I-3", "I-2", "I-1"] == sent(turns, UndoChild)


def test_without_items_no_child_is_started() -> None:
    turns = Turns(AT_ONCE, TripPlanned(order_id="T-1"))
    turns.answer(TripBooked)

    assert "confirm" == turns.sends[-1].message.step
    assert turns.progress
    assert Phase.SKIPPED == turns.progress.steps[1].phase


def test_the_definition_says_which_saga_the_items_run() -> None:
    """It has to be registered, and a change of it needs a new version."""
    row = AT_ONCE.rows[1]

    assert row.is_child
    assert INSURE_TRIP is row.runs
    assert "insure-trip" == shape_of(AT_ONCE).steps[1].child
    assert "trips" == AT_ONCE.origin.name
    with pytest.raises(DefinitionError, match="'insure all' runs the saga 'insure-trip', which is"):
        Registry([AT_ONCE])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"pivot": True}, "its `step` must not be a pivot"),
        ({"when": lambda trip: True}, "its `step` must have no `when`"),
    ],
)
def test_invalid_items_are_refused(fields: Any, problem: str) -> None:
    child = Child[TripPlanned, str]("insure", saga=INSURE_TRIP, start=wanted_for, **fields)
    with pytest.raises(DefinitionError, match=problem):
        Each("insure all", over=people, step=child)


def test_children_that_cannot_be_undone_come_after_the_pivot() -> None:
    """As a single child does."""
    sign: Step[InsuranceWanted] = Step(
        "sign", to=INSURER, do=lambda i: SignPolicy(order_id=i.order_id), pivot=True
    )
    final = Saga("insure-for-ever", version=1, starts_on=InsuranceWanted, steps=[sign])
    each = Each(
        "insure all",
        over=people,
        step=Child[TripPlanned, str]("insure", saga=final, start=wanted_for),
    )
    with pytest.raises(DefinitionError, match="'insure all' runs a saga with a pivot"):
        Saga("book-trip", version=1, starts_on=TripPlanned, steps=[BOOK, each, CONFIRM])
    Saga("book-trip", version=1, starts_on=TripPlanned, steps=[BOOK, CONFIRM, each])


def test_a_saga_that_is_scaled_scales_its_children() -> None:
    scaled = HURRIED.scaled(0.5)

    row = scaled.rows[1]
    assert isinstance(row, Each)
    assert 300.0 == row.step.within
    assert 30.0 == row.runs.rows[0].within
