"""Sagas in flight of one version of a definition, moved to another."""

from typing import Any

import attrs
import pytest

from order_sagas.actors.errors import CannotMoveError, DefinitionError
from order_sagas.actors.messages import (
    Message,
    OrderCreated,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Parallel, Participant, Saga, Status, Step, seconds
from order_sagas.actors.sagas.shape import shape_of
from order_sagas.actors.sagas.state import DONE, SENT, SKIPPED, decode, decode_plain, encode
from order_sagas.actors.sagas.step_mapping import StepMapping
from order_sagas.actors.sagas.version_move import VersionMove
from tests.support.embedded import an_order
from tests.support.turns import Turns

CREATE, PAY, RESERVE, COMPLETE, NOTIFY = PLACE_ORDER.rows
FRAUD = Participant("fraud", topic="fraud-events")
START = an_order("o-1")


class CheckFraud(Message):
    """Look at the customer."""


class FraudChecked(Message):
    """The customer is honest."""


class ForgetCheck(Message):
    """The compensation of the check."""


CHECK: Step[OrderCreated, Any] = Step(
    "check fraud", to=FRAUD, do=lambda order: CheckFraud(order_id=order.order_id),
    done=FraudChecked, within=seconds(10), needs_no_undo=True,
)  # fmt: skip


def version_2(*steps: Any, **mapping: Any) -> Saga[Any]:
    """The saga of these steps, which sagas of version 1 can be moved to."""
    return Saga(
        PLACE_ORDER.name, 2, OrderCreated, steps, PLACE_ORDER.cancelled,
        migrates={1: StepMapping(**mapping)},
    )  # fmt: skip


def moved(turns: Turns, target: Saga[Any], mapping: StepMapping | None = None) -> Turns:
    """The same saga in the other version."""
    assert turns.progress
    move = VersionMove(
        shape_of(turns.saga), turns.saga.version, target,
        mapping or target.migrates[turns.saga.version],
    )  # fmt: skip
    after = Turns(target, now=turns.now)
    after.progress = decode(
        encode(move.moved(decode_plain(encode(turns.progress)), "ann", 5.0)), target
    )
    return after


def phases(turns: Turns) -> list[int]:
    assert turns.progress
    return [step.phase for step in turns.progress.steps]


def paying() -> Turns:
    return Turns(PLACE_ORDER, START)


def reserving() -> Turns:
    turns = paying()
    turns.answer(PaymentCompleted)
    return turns


def test_a_step_that_was_added_before_is_skipped_and_one_after_is_sent() -> None:
    target = version_2(CREATE, CHECK, PAY, RESERVE, COMPLETE, NOTIFY, added=["check fraud"])

    turns = moved(paying(), target)

    assert [DONE, SKIPPED, SENT] == phases(turns)[:3]
    turns.answer(PaymentCompleted)
    turns.answer(StockReserved)
    assert Status.COMPLETED == turns.status
    late = version_2(CREATE, PAY, RESERVE, CHECK, COMPLETE, NOTIFY, added=["check fraud"])
    turns = moved(paying(), late)
    turns.answer(PaymentCompleted)
    turns.answer(StockReserved)
    assert "check fraud" == turns.sends[-1].message.step


def test_a_step_that_is_required_is_not_skipped() -> None:
    target = version_2(
        CREATE, CHECK, PAY, RESERVE, COMPLETE, NOTIFY, added=["check fraud"],
        required=["check fraud"],
    )  # fmt: skip

    with pytest.raises(CannotMoveError, match="past step 'check fraud', which must not be skipped"):
        moved(paying(), target)


def test_a_renamed_step_goes_on_with_its_deadline_and_its_history() -> None:
    target = version_2(
        CREATE, attrs_with(PAY, name="charge"), RESERVE, COMPLETE, NOTIFY,
        renamed={"process payment": "charge"},
    )  # fmt: skip
    before = reserving()

    turns = moved(before, target)

    assert before.progress
    assert turns.progress
    assert before.progress.deadline == turns.progress.deadline
    assert ["charge", ""] == [entry.step for entry in turns.progress.history[-2:]]
    assert "from version 1 to 2 by ann" == turns.progress.history[-1].note
    assert (2, before.progress.seq + 1) == (turns.progress.version, turns.progress.seq)
    turns.answer(StockReservationFailed)
    turns.answer(StockRolledBack)
    assert "charge" == turns.sends[-1].message.step
    turns.answer(PaymentRolledBack)


def test_a_step_that_is_done_gets_the_undo_that_the_new_version_has() -> None:
    first = Saga(
        "place-order", 1, OrderCreated,
        [CREATE, CHECK, PAY, RESERVE, COMPLETE, NOTIFY], PLACE_ORDER.cancelled,
    )  # fmt: skip
    undoable = attrs_with(
        CHECK, needs_no_undo=False, undo=lambda order: ForgetCheck(order_id=order.order_id)
    )
    turns = Turns(first, START)
    turns.answer(FraudChecked)

    turns = moved(turns, version_2(CREATE, undoable, PAY, RESERVE, COMPLETE, NOTIFY))
    turns.answer(PaymentFailed)

    assert ForgetCheck in [type(send.message) for send in turns.sends]


@pytest.mark.parametrize(
    ("steps", "mapping", "reason"),
    [
        (
            [CREATE, RESERVE, PAY, COMPLETE, NOTIFY], {},
            "step 'process payment' is done, and version 2 has it after what is under way",
        ),
        (
            [CREATE, RESERVE, COMPLETE, NOTIFY], {"removed": ["process payment"]},
            "step 'process payment' is done, and version 2 has no such step that could undo it",
        ),
        (
            [CREATE, PAY, COMPLETE, NOTIFY], {"removed": ["reserve stock"]},
            "step 'reserve stock' is sent, and version 2 has no such step",
        ),
        (
            [CREATE, PAY, ("reserve stock", {"done": FraudChecked}), COMPLETE, NOTIFY], {},
            "step 'reserve stock' is under way, and its `done` was StockReserved, is FraudChecked",
        ),
        (
            [CREATE, PAY, ("reserve stock", {"to": FRAUD}), COMPLETE, NOTIFY], {},
            "step 'reserve stock' is under way, and its `to` was stock, is fraud",
        ),
        (
            [CREATE, PAY, COMPLETE, ("reserve stock", {"undo": None, "undone": None,
                                                       "failed": None}), NOTIFY], {},
            "step 'reserve stock' is under way, and its `failed` was StockReservationFailed, "
            "is none",
        ),
    ],
)  # fmt: skip
def test_a_saga_whose_current_step_differs_cannot_be_moved(steps, mapping, reason) -> None:
    rows = [attrs_with(RESERVE, **step[1]) if isinstance(step, tuple) else step for step in steps]

    with pytest.raises(CannotMoveError) as refused:
        moved(reserving(), version_2(*rows, **mapping))

    assert reason == str(refused.value)


def test_steps_under_way_together_must_stay_together() -> None:
    first = Saga("place-order", 1, OrderCreated, [CREATE, Parallel(PAY, RESERVE), COMPLETE, NOTIFY])
    target = version_2(CREATE, PAY, RESERVE, COMPLETE, NOTIFY)

    with pytest.raises(CannotMoveError, match="are under way together"):
        moved(Turns(first, START), target)
    turns = Turns(first, START)
    turns.answer(PaymentCompleted)
    turns = moved(turns, target)
    turns.answer(StockReserved)
    assert Status.COMPLETED == turns.status


def test_a_saga_that_is_compensated_goes_on_undoing() -> None:
    turns = reserving()
    turns.answer(StockReservationFailed)
    assert Status.COMPENSATING == turns.status
    target = version_2(CREATE, CHECK, PAY, RESERVE, COMPLETE, NOTIFY, added=["check fraud"])

    turns = moved(turns, target)
    turns.answer(PaymentRolledBack)

    assert "create order" == turns.sends[-1].message.step


def test_a_saga_is_moved_back() -> None:
    target = version_2(
        CREATE, CHECK, attrs_with(PAY, name="charge"), RESERVE, COMPLETE, NOTIFY,
        renamed={"process payment": "charge"}, added=["check fraud"],
    )  # fmt: skip
    there = moved(reserving(), target)

    back = moved(there, PLACE_ORDER, target.migrates[1].backwards())

    before = reserving()
    assert before.progress
    assert back.progress
    assert before.progress.steps == back.progress.steps
    back.answer(StockReserved)
    assert Status.COMPLETED == back.status


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({}, "the other version has no step 'check fraud': name the step in `added`"),
        ({"added": ["check fraud"], "removed": ["pay"]}, "the other version has no step 'pay'"),
        (
            {"added": ["check fraud"], "removed": ["reserve stock"]},
            "the other version has no step 'reserve stock': name the step in `added`",
        ),
        (
            {"renamed": {"reserve stock": "process payment"}, "added": ["check fraud"]},
            "two steps of the other version become its step 'process payment'",
        ),
    ],
)
def test_an_incomplete_mapping_is_refused(mapping, reason) -> None:
    target = version_2(CREATE, CHECK, PAY, RESERVE, COMPLETE, NOTIFY, **mapping)

    with pytest.raises(DefinitionError) as refused:
        moved(paying(), target)

    assert f"saga 'place-order': moving to version 2: {reason}" == str(refused.value)


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"added": ["pay"]}, "version 2 has no step 'pay'"),
        ({"renamed": {"a": "b"}}, "version 2 has no step 'b'"),
        ({"required": ["check"]}, "'check' is in `required` and not in `added`"),
        (
            {"renamed": {"a": "reserve stock"}, "added": ["reserve stock"]},
            "'reserve stock' is in `added`, and another step is renamed to it",
        ),
        ({"added": "reserve stock"}, "names of steps must be a collection"),
    ],
)
def test_a_mapping_names_steps_of_its_definition(mapping, reason) -> None:
    with pytest.raises(DefinitionError, match=reason):
        version_2(CREATE, PAY, RESERVE, COMPLETE, NOTIFY, **mapping)


def attrs_with(step: Step[Any, Any], **changes: Any) -> Step[Any, Any]:
    """A copy of a step with other fields."""
    fields = {
        each.name: getattr(step, each.name)
        for each in attrs.fields(Step)
        if each.init and each.name != "name"
    }
    name = changes.pop("name", step.name)
    return Step(name, **{**fields, **changes})
