"""What a parent and its child decide, message by message."""

from typing import Any

import pytest
from msgspec.structs import replace

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.child import LOOK_EVERY, Child
from order_sagas.actors.sagas.child_messages import (
    CHILDREN,
    ChildCancelled,
    ChildCompleted,
    UndoChild,
    parent_of,
)
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.shape import shape_of
from order_sagas.actors.sagas.state import Phase, Status
from order_sagas.actors.sagas.step import Step
from tests.support.insured_trips import (
    BOOK,
    BOOK_TRIP,
    CONFIRM,
    FILE,
    INSURE_TRIP,
    INSURER,
    SIGN,
    FileShredded,
    FilingRefused,
    InsuranceWanted,
    PolicyFiled,
    PolicySigned,
    PolicyTorn,
    TripBooked,
    TripPlanned,
    TripRefused,
    TripUnbooked,
    wanted,
)
from tests.support.turns import Turns

PLANNED = TripPlanned(order_id="T-1", insurance="I-7", traceparent="00-trace-span-01")


def a_parent() -> Turns:
    """A trip that waits for its insurance."""
    turns = Turns(BOOK_TRIP, PLANNED)
    turns.answer(TripBooked)
    return turns


def a_child(*answers: type[Message], start: Message | None = None) -> Turns:
    """The insurance that the trip has started, after these answers."""
    turns = Turns(INSURE_TRIP, start or a_parent().sends[-1].message)
    for answer in answers:
        turns.answer(answer)
    return turns


def an_undo(attempt: int = 1, **fields: Any) -> UndoChild:
    """The undo that the parent sends."""
    parent = a_parent()
    parent.answer(ChildCompleted, step="insure")
    decision = parent.answer(TripRefused)
    undo = decision.sends[0].message
    assert isinstance(undo, UndoChild)
    return replace(undo, attempt=attempt, **fields)


def test_a_child_is_started_on_its_own_topic_under_its_own_order() -> None:
    """With a message that names its parent."""
    send = a_parent().sends[-1]

    assert (INSURER.topic, "I-7") == (send.to.topic, send.to.keyed_by(send.message))
    assert ("book-trip/T-1/insure:child/1", "book-trip/T-1", "insure", 1) == (
        send.message.event_id, send.message.saga_id, send.message.step, send.message.attempt,
    )  # fmt: skip
    assert parent_of(send.message) == ("book-trip/T-1", "insure")


@pytest.mark.parametrize(
    ("answers", "reply", "code"),
    [
        ((PolicySigned, PolicyFiled), ChildCompleted, ""),
        ((PolicySigned, FilingRefused, PolicyTorn), ChildCancelled, "failed"),
    ],
)
def test_a_child_reports_its_end_to_its_parent(answers, reply, code) -> None:
    """With the ids by which the parent and the step are found, on any shard."""
    send = a_child(*answers).sends[-1]
    told = send.message

    assert (CHILDREN, "T-1") == (send.to, send.to.keyed_by(told))
    assert (reply, "book-trip/T-1", "insure", 0, "insure-trip/I-7") == (
        type(told), told.saga_id, told.step, told.attempt, told.child,  # type: ignore[attr-defined]
    )  # fmt: skip
    assert code == getattr(told, "code", "")


def test_a_saga_without_a_parent_reports_no_end() -> None:
    """Neither one started from outside, nor one started by a saga that does not wait for it."""
    alone = InsuranceWanted(order_id="I-7")
    told = replace(alone, saga_id="other/1", step="tell", attempt=1, event_id="other/1/tell/1")
    for start in (alone, told):
        turns = a_child(PolicySigned, PolicyFiled, start=start)

        assert Status.COMPLETED == turns.status
        assert CHILDREN not in [send.to for send in turns.sends]


def test_a_failed_child_fails_the_step_with_its_code_and_reason() -> None:
    parent = a_parent()
    parent.answer(ChildCancelled, step="insure", code="no", reason="too risky")
    parent.answer(TripUnbooked)

    assert parent.progress
    assert (Status.CANCELLED, "insure", "no", "too risky") == (
        parent.status, parent.progress.failed_step, parent.progress.code, parent.progress.reason,
    )  # fmt: skip


def test_a_parent_without_a_report_asks_repeatedly() -> None:
    """With the message that starts the child, without a limit."""
    parent = a_parent()
    for _ in range(50):
        parent.time_out()
        assert parent.progress
        if parent.progress.steps[1].phase == Phase.BACKOFF:
            parent.time_out()
    starts = [s.message for s in parent.sends if isinstance(s.message, InsuranceWanted)]

    assert [*range(1, 52)] == [start.attempt for start in starts]
    assert Status.RUNNING == parent.status
    assert {("book-trip/T-1", "insure")} == {parent_of(start) for start in starts}


def test_a_child_that_is_started_again_answers_once_it_has_ended() -> None:
    """A duplicate of the start while it runs changes nothing; its parent is told again later."""
    child = a_child()
    start = a_parent().sends[-1].message
    again = replace(start, attempt=2, event_id="book-trip/T-1/insure:child/2")
    before = child.deliver(again)
    child.answer(PolicySigned)
    first = child.answer(PolicyFiled).sends[-1]
    after = child.deliver(again)

    assert [] == before.sends
    assert [ChildCompleted] == [type(send.message) for send in after.sends]
    assert first.message.event_id == after.sends[0].message.event_id


def test_a_saga_of_another_parent_is_not_taken_as_the_child() -> None:
    """And is not undone by it either."""
    for start in (
        InsuranceWanted(order_id="I-7"),
        replace(
            a_parent().sends[-1].message,
            saga_id="book-trip/T-2", event_id="book-trip/T-2/insure:child/1",
        ),
    ):  # fmt: skip
        other = a_child(start=start)
        refused = other.deliver(a_parent().sends[-1].message)
        undo = other.deliver(an_undo())

        assert Status.RUNNING == other.status
        assert ["order_in_use"] * 2 == [
            send.message.code  # type: ignore[attr-defined]
            for decision in (refused, undo)
            for send in decision.sends
        ]
        assert {"book-trip/T-1"} == {
            send.message.saga_id for decision in (refused, undo) for send in decision.sends
        }


def test_a_running_child_is_cancelled_by_its_parent() -> None:
    child = a_child(PolicySigned)
    child.deliver(an_undo())
    child.answer(FileShredded)
    last = child.answer(PolicyTorn).sends[-1].message

    assert child.progress
    assert (Status.CANCELLED, "undone_by_parent") == (child.status, child.progress.code)
    assert isinstance(last, ChildCancelled)


def test_a_completed_child_is_restored_and_undone() -> None:
    """From the last step to the first, and its end is told to its parent."""
    child = a_child(PolicySigned, PolicyFiled)
    child.deliver(an_undo())
    assert child.progress
    during = (child.status, child.progress.ended_at)
    child.answer(FileShredded)
    last = child.answer(PolicyTorn).sends[-1].message

    assert (Status.COMPENSATING, 0.0) == during
    assert (Status.CANCELLED, [Phase.UNDONE] * 2) == (
        child.status, [step.phase for step in child.progress.steps],
    )  # fmt: skip
    assert isinstance(last, ChildCancelled)


def test_an_undo_that_comes_twice_is_answered_twice_and_done_once() -> None:
    child = a_child(PolicySigned, PolicyFiled)
    child.deliver(an_undo())
    during = child.deliver(an_undo(2))
    child.answer(FileShredded)
    child.answer(PolicyTorn)
    after = child.deliver(an_undo(3))

    assert [] == during.sends
    assert [ChildCancelled] == [type(send.message) for send in after.sends]
    assert 1 == [note.event for note in child.notes].count("saga.undo_asked")


def test_an_undo_that_overtakes_the_start_is_a_tombstone() -> None:
    """The child is stored as cancelled, under the start that never came."""
    child = Turns(INSURE_TRIP)
    first = child.deliver(an_undo())
    late = child.deliver(a_parent().sends[-1].message)

    assert child.progress
    assert (Status.CANCELLED, "insure-trip/I-7") == (child.status, child.progress.saga_id)
    assert isinstance(child.progress.start, InsuranceWanted)
    assert [[ChildCancelled], [ChildCancelled]] == [
        [type(send.message) for send in decision.sends] for decision in (first, late)
    ]


def test_a_child_that_was_cancelled_before_it_was_asked_to_is_undone() -> None:
    """The report of its end and the undo cross."""
    parent = a_parent()
    parent.answer(ChildCompleted, step="insure")
    parent.answer(TripRefused)
    parent.answer(ChildCancelled, step="insure", code="no")
    parent.answer(TripUnbooked)

    assert Status.CANCELLED == parent.status


def test_an_undo_carries_what_the_start_is_made_from_and_whose_it_is() -> None:
    undo = an_undo()

    assert ("insure-trip/I-7", "I-7", "book-trip/T-1", "insure") == (
        undo.saga_id, undo.order_id, undo.parent, undo.step,
    )  # fmt: skip
    assert "book-trip/T-1/insure:undo/1" == undo.event_id
    assert "INSURANCE_WANTED" == undo.start["status"]


FINAL = Saga("final", 1, InsuranceWanted, [SIGN, FILE.changed(pivot=True)])


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"detached": True, "within": 5.0}, "is detached, so nothing waits for it: it needs no"),
        ({"detached": True, "needs_no_undo": True}, "is detached, so it is never undone"),
        ({"detached": True, "pivot": True}, "is detached, so it cannot be the pivot"),
        ({"within": 0.0}, "`within` must be positive, not 0.0"),
        ({"saga": "insure-trip"}, "`saga` must be a Saga, not 'insure-trip'"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields, rule) -> None:
    with pytest.raises(DefinitionError, match=f"step 'insure': {rule}"):
        Child("insure", **{"saga": INSURE_TRIP, "start": wanted, **fields})


def test_a_child_with_a_pivot_cannot_be_undone_so_it_must_not_come_before_one() -> None:
    with pytest.raises(DefinitionError, match="'insure' runs a saga with a pivot, which cannot"):
        Saga("trip", 1, TripPlanned, [BOOK, Child("insure", saga=FINAL, start=wanted), CONFIRM])

    for steps in (
        [BOOK, Child("insure", saga=FINAL, start=wanted, needs_no_undo=True), CONFIRM],
        [BOOK, Child("insure", saga=FINAL, start=wanted, pivot=True)],
        [BOOK, CONFIRM, Child("insure", saga=FINAL, start=wanted)],
        [BOOK, CONFIRM, Child("insure", saga=INSURE_TRIP, start=wanted)],
    ):
        assert Saga("trip", 1, TripPlanned, steps).index


def test_a_saga_that_begins_with_a_child_starts_where_its_first_step_is() -> None:
    child = Child("insure", saga=INSURE_TRIP, start=wanted)

    assert BOOK.to == Saga("trip", 1, TripPlanned, [child, BOOK, CONFIRM]).origin


def test_a_child_must_be_registered() -> None:
    with pytest.raises(DefinitionError, match="runs the saga 'insure-trip', which is not reg"):
        Registry([BOOK_TRIP])


def test_only_a_deadline_that_was_given_is_scaled() -> None:
    """The interval of asking again is not scaled."""
    given = Child("insure", saga=INSURE_TRIP, start=wanted, within=100.0).scaled(0.5)
    default = Child("insure", saga=INSURE_TRIP, start=wanted).scaled(0.5)

    assert (50.0, LOOK_EVERY) == (given.within, default.within)
    assert isinstance(given, Step)


def test_the_saga_that_a_child_runs_is_part_of_the_shape() -> None:
    """Another one under the same version is refused at start, like any other step."""
    other: Saga[InsuranceWanted] = Saga("other", 1, InsuranceWanted, [FILE])
    rows = [Child("insure", saga=saga, start=wanted) for saga in (INSURE_TRIP, other)]
    sagas: list[Saga[TripPlanned]] = [Saga("trip", 1, TripPlanned, [row]) for row in rows]
    steps = [shape_of(saga).steps[0] for saga in sagas]

    assert ["insure-trip", "other"] == [step.child for step in steps]
    assert "runs insure-trip" in str(steps[0])
