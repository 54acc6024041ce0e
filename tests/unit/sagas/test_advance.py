"""What a saga decides: every transition, and every message that it ignores."""

import msgspec
import pytest
from msgspec.structs import replace

from order_sagas.actors.messages import (
    CancelSaga,
    LoadStock,
    Message,
    OrderCreated,
    OrderRolledBack,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    ProcessPayment,
    ResumeSaga,
    RetryStep,
    SkipStep,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from order_sagas.actors.place_order import PLACE_ORDER, charge, refund, release, reserve
from order_sagas.actors.sagas import (
    ONCE,
    Parallel,
    Participant,
    Saga,
    Status,
    Step,
    advance,
    wakes_of,
)
from order_sagas.actors.sagas.state import decode, encode
from tests.support.turns import Turns

START = OrderCreated(order_id="o-1", event_id="start", customer_id="c-1", currency="EUR")
SHOP = Participant("shop", topic="shop-events")

# fmt: off
FORWARD_ONLY = Saga("forward-only", 1, OrderCreated, [
    Step("pay", to=SHOP, do=charge, done=PaymentCompleted, within=10, undo=refund,
         undone=PaymentRolledBack, retry=ONCE, pivot=True),
    Step("ship", to=SHOP, do=reserve, done=StockReserved, within=10, retry=ONCE),
])
AT_ONCE = Saga("at-once", 1, OrderCreated, [
    Parallel(
        Step("pay", to=SHOP, do=charge, done=PaymentCompleted, failed=PaymentFailed, within=10,
             undo=refund, undone=PaymentRolledBack),
        Step("reserve", to=SHOP, do=reserve, done=StockReserved, failed=StockReservationFailed,
             within=20, undo=release, undone=StockRolledBack),
    ),
    Step("tell", to=SHOP, do=charge, pivot=True),
])
# fmt: on


def test_a_successful_order_takes_every_step_and_ends() -> None:
    """Commands follow replies; steps without a reply are not waited for."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentCompleted)
    turns.answer(StockReserved)

    assert ["ProcessPayment", "ReserveStock", "OrderCompleted", "OrderCompleted"] == turns.sent
    assert Status.COMPLETED == turns.status
    assert turns.progress
    assert turns.progress.deadline is None


def test_a_saga_starts_on_its_own_message_only() -> None:
    """Any other message raises TypeError."""
    with pytest.raises(TypeError, match="starts on OrderCreated"):
        advance(PLACE_ORDER, None, PaymentCompleted(order_id="o-1"), 0.0)


def test_a_command_has_its_saga_step_and_attempt() -> None:
    """And its cause; the same decision always gives the same ids."""
    (send,) = Turns(PLACE_ORDER, START).sends
    message = send.message

    assert "place-order/o-1/process payment/1" == message.event_id
    assert ("place-order/o-1", "process payment", 1) == (
        message.saga_id, message.step, message.attempt,
    )  # fmt: skip
    assert "start" == message.causation_id


def test_a_failure_undoes_the_completed_steps_newest_first() -> None:
    """The step that failed is not undone: it did nothing."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed, code="out_of_stock", reason="no pens")
    turns.answer(PaymentRolledBack)
    turns.answer(OrderRolledBack)

    assert [
        "RollbackPayment", "RollbackOrder", "OrderCancelled", "OrderCancelled",
    ] == turns.sent[2:]  # fmt: skip
    assert Status.CANCELLED == turns.status
    assert turns.progress
    assert ("reserve stock", "out_of_stock", "no pens") == (
        turns.progress.failed_step, turns.progress.code, turns.progress.reason,
    )  # fmt: skip


def test_a_failure_without_fields_has_a_code_and_a_reason() -> None:
    """Services written elsewhere send two fields."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentFailed)

    assert turns.progress
    assert ("failed", "process payment failed") == (turns.progress.code, turns.progress.reason)


def test_a_silent_step_is_retried_and_then_undone_too() -> None:
    """Its outcome is unknown, so it is compensated."""
    turns = Turns(PLACE_ORDER, START)
    for _ in range(5):  # three deadlines, two waits between
        turns.time_out()

    assert ["ProcessPayment"] * 3 + ["RollbackPayment"] == turns.sent
    assert [1, 2, 3, 1] == [send.message.attempt for send in turns.sends]
    assert Status.COMPENSATING == turns.status
    assert turns.progress
    assert "timed_out" == turns.progress.code


def test_an_answer_in_the_wait_before_a_retry_counts() -> None:
    """And the retry's timer is stale."""
    turns = Turns(PLACE_ORDER, START)
    turns.time_out()
    turns.answer(PaymentCompleted, attempt=1)
    before = turns.progress

    turns.deliver(turns.wakes[1])

    assert before is turns.progress
    assert ["ProcessPayment", "ReserveStock"] == turns.sent


def test_a_reply_to_an_attempt_that_is_over_is_stale() -> None:
    """It may be about an undone attempt; a reply without an attempt always counts."""
    turns = Turns(PLACE_ORDER, START)
    turns.time_out()
    turns.time_out()
    turns.answer(PaymentFailed, attempt=1)
    stale = turns.ignored
    turns.answer(PaymentFailed, attempt=0)

    assert ["stale attempt 1, now at 2"] == stale
    assert Status.COMPENSATING == turns.status


def test_a_late_success_after_its_undo_was_sent_is_recorded() -> None:
    """It is in the history, and changes nothing else."""
    turns = Turns(PLACE_ORDER, START)
    for _ in range(5):
        turns.time_out()
    before = turns.progress
    turns.answer(PaymentCompleted, event_id="late", attempt=3)

    assert before
    assert turns.progress
    assert (before.steps, before.seq) == (turns.progress.steps, turns.progress.seq)
    assert ("saga.message_ignored", "process payment", "late") == (
        turns.progress.history[-1].event,
        turns.progress.history[-1].step,
        turns.progress.history[-1].cause,
    )


def test_a_thousand_late_duplicates_are_one_entry_of_the_history() -> None:
    """Their count and the time of the last are kept, and the saga takes no more room."""
    turns = Turns(PLACE_ORDER, START)
    for _ in range(5):
        turns.time_out()
    turns.answer(PaymentCompleted, event_id="late", attempt=3)
    assert turns.progress
    first, size = turns.progress.history[-1], len(turns.progress.history)
    for attempt in range(999):
        turns.deliver(
            PaymentCompleted(order_id="o-1", event_id="again", attempt=attempt), after=1.0
        )

    assert size == len(turns.progress.history)
    assert replace(first, times=1000, last=turns.now) == turns.progress.history[-1]
    assert 1000 == len(turns.ignored)
    assert turns.progress == decode(encode(turns.progress), PLACE_ORDER)


def test_late_successes_of_two_steps_are_counted_apart() -> None:
    """Each step has an entry of its own."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentCompleted)
    for _ in range(5):
        turns.time_out()
    turns.answer(StockRolledBack)
    for _ in range(3):
        turns.answer(StockReserved)
        turns.answer(PaymentCompleted)

    assert turns.progress
    assert {("reserve stock", 3), ("process payment", 3)} == {
        (entry.step, entry.times)
        for entry in turns.progress.history
        if entry.event == "saga.message_ignored"
    }


@pytest.mark.parametrize(
    "message",
    [
        PaymentFailed(order_id="o-1", attempt=3),
        PaymentCompleted(order_id="o-1", attempt=3),
        StockReserved(order_id="o-1"),
        StockReservationFailed(order_id="o-1"),
        StockRolledBack(order_id="o-1"),
        LoadStock(order_id="o-1"),
        CancelSaga(order_id="o-1", why="again"),
        RetryStep(order_id="o-1", step="reserve stock"),
        SkipStep(order_id="o-1", step="process payment", why="again"),
        ResumeSaga(order_id="o-1"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_no_message_that_is_ignored_makes_the_history_grow_without_bound(message: Message) -> None:
    """Duplicates, early and late replies, and an operator's command that comes too late."""
    turns = Turns(PLACE_ORDER, START)
    for _ in range(5):
        turns.time_out()
    assert turns.progress
    size = len(turns.progress.history)
    for _ in range(1000):
        turns.deliver(message)

    assert len(turns.progress.history) <= size + 1


def test_a_history_of_an_earlier_version_is_read() -> None:
    """Its entries have no counts: each message came once."""
    turns = Turns(PLACE_ORDER, START)
    turns.time_out()
    assert turns.progress
    raw = msgspec.json.decode(encode(turns.progress))
    assert 1 < len(raw["history"])
    for entry in raw["history"]:
        assert {"times", "last"}.isdisjoint(entry)

    assert turns.progress == decode(msgspec.json.encode(raw), PLACE_ORDER)
    assert {(1, 0.0)} == {(entry.times, entry.last) for entry in turns.progress.history}


def test_a_reply_to_a_step_that_was_not_sent_is_to_come_again() -> None:
    turns = Turns(PLACE_ORDER, START)
    before = turns.progress

    decision = turns.deliver(StockReserved(order_id="o-1"))

    assert before is decision.progress
    assert ([], []) == (decision.sends, decision.notes)
    assert "step 'reserve stock' was not started" == decision.early
    assert "" == turns.deliver(PaymentCompleted(order_id="o-1")).early


def test_what_does_not_fit_changes_nothing_and_says_why() -> None:
    """The same state object is returned."""
    turns = Turns(PLACE_ORDER, START)
    for message, reason in (
        (LoadStock(order_id="o-1"), "no step of this saga takes this reply"),
        (START, "no step of this saga takes this reply"),
        (PaymentRolledBack(order_id="o-1"), "no compensation was sent"),
        (RetryStep(order_id="o-1", step="process payment"), "step 'process payment' is not stuck"),
        (SkipStep(order_id="o-1", step="nonsense", why="?"), "step 'nonsense' is not stuck"),
        (ResumeSaga(order_id="o-1"), "no step is stuck"),
    ):
        before = turns.progress
        decision = turns.deliver(message)

        assert before is decision.progress
        assert ([], []) == (decision.sends, decision.wakes)
        assert reason == turns.ignored[-1]


def test_duplicates_are_ignored_in_every_later_state() -> None:
    """They are normal with at-least-once delivery."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentCompleted)
    turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed)
    turns.answer(PaymentRolledBack)
    turns.answer(PaymentRolledBack)
    turns.answer(StockReservationFailed)
    turns.answer(OrderRolledBack)
    turns.answer(OrderRolledBack)

    assert [
        "duplicate: the step was already answered",
        "duplicate: the step was already undone",
        "duplicate: the step was already answered",
        "the saga has ended",
    ] == turns.ignored


# --- attention -------------------------------------------------------------------------------


def stuck_undo() -> Turns:
    """An order whose refund was never acknowledged."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed)
    while turns.status != Status.NEEDS_ATTENTION:
        turns.time_out()
    return turns


def test_an_undo_that_runs_out_of_attempts_needs_attention() -> None:
    """It is retried eight times, and then waits for an operator."""
    turns = stuck_undo()

    assert 8 == turns.sent.count("RollbackPayment")
    assert turns.progress
    assert turns.progress.deadline is None


@pytest.mark.parametrize(
    "command", [RetryStep(order_id="o-1", step="process payment"), ResumeSaga(order_id="o-1")]
)
def test_an_operator_can_retry_the_undo(command) -> None:
    """With a new deadline, and as another attempt."""
    turns = stuck_undo()
    turns.deliver(command)

    again = turns.sends[-1].message
    turned = turns.status
    turns.answer(PaymentRolledBack, attempt=9)
    turns.answer(OrderRolledBack)

    assert (9, 9) == (turns.sent.count("RollbackPayment"), again.attempt)
    assert (Status.COMPENSATING, Status.CANCELLED) == (turned, turns.status)


def test_an_operator_can_skip_the_undo_with_a_reason() -> None:
    """Who and why is in the history; without a reason nothing happens."""
    turns = stuck_undo()
    turns.deliver(SkipStep(order_id="o-1", step="process payment", by="ann"))
    refused = turns.ignored[-1]
    turns.deliver(SkipStep(order_id="o-1", step="process payment", by="ann", why="paid in cash"))
    turns.answer(OrderRolledBack)

    assert "skipping a step needs a reason (`why`)" == refused
    assert turns.progress
    assert "skip by ann: paid in cash" in [entry.note for entry in turns.progress.history]
    assert Status.CANCELLED == turns.status


def test_an_answer_to_a_stuck_undo_still_counts() -> None:
    """The participant recovered by itself."""
    turns = stuck_undo()
    turns.answer(PaymentRolledBack, attempt=8)

    assert Status.COMPENSATING == turns.status
    assert "RollbackOrder" == turns.sent[-1]


def test_after_the_pivot_a_silent_step_needs_attention_and_is_not_undone() -> None:
    """It can only be driven forward, or be skipped."""
    turns = Turns(FORWARD_ONLY, START)
    turns.answer(PaymentCompleted)
    turns.time_out()
    stuck = turns.status
    turns.deliver(CancelSaga(order_id="o-1", by="ann"))
    turns.deliver(ResumeSaga(order_id="o-1"))
    going = turns.status
    turns.time_out()
    turns.deliver(SkipStep(order_id="o-1", step="ship", by="ann", why="handed over the counter"))

    assert (Status.NEEDS_ATTENTION, Status.RUNNING) == (stuck, going)
    assert ["it is past its pivot"] == turns.ignored
    assert Status.COMPLETED == turns.status
    assert "RollbackPayment" not in turns.sent


def test_an_operator_can_cancel_a_saga_before_its_pivot() -> None:
    """Everything that was sent is undone, answered or not."""
    turns = Turns(PLACE_ORDER, START)
    turns.answer(PaymentCompleted)
    turns.deliver(CancelSaga(order_id="o-1", by="ann", why="the customer called"))
    turns.deliver(CancelSaga(order_id="o-1", by="ann"))
    turns.answer(StockRolledBack)
    turns.answer(PaymentRolledBack)
    turns.answer(OrderRolledBack)

    assert ["it is being compensated already"] == turns.ignored
    assert ["RollbackStock", "RollbackPayment", "RollbackOrder"] == turns.sent[2:5]
    assert turns.progress
    assert ("cancelled_by_operator", "the customer called") == (
        turns.progress.code, turns.progress.reason,
    )  # fmt: skip


# --- parallel groups -------------------------------------------------------------------------


def test_a_parallel_group_runs_at_once_and_is_complete_when_all_are() -> None:
    """In whatever order they answer."""
    turns = Turns(AT_ONCE, START)
    begun = turns.sent
    turns.answer(StockReserved)
    half = turns.status
    turns.answer(PaymentCompleted)

    assert ["ProcessPayment", "ReserveStock"] == begun
    assert (Status.RUNNING, Status.COMPLETED) == (half, turns.status)


@pytest.mark.parametrize("answered", [True, False], ids=["done", "unknown"])
def test_a_parallel_group_is_undone_whole(answered) -> None:
    """A member that has not answered too: its outcome is unknown; not the one that failed."""
    turns = Turns(AT_ONCE, START)
    if answered:
        turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed)

    assert ["RollbackPayment"] == turns.sent[2:]
    turns.answer(PaymentRolledBack)
    assert Status.CANCELLED == turns.status


def test_a_member_that_fails_while_its_group_is_undone_is_ignored() -> None:
    """Its undo is on its way already, and acknowledges for it."""
    turns = Turns(AT_ONCE, START)
    turns.answer(StockReservationFailed)
    turns.answer(PaymentFailed)

    assert ["the step is being compensated"] == turns.ignored
    assert Status.COMPENSATING == turns.status


# --- what is stored --------------------------------------------------------------------------


def test_a_stored_state_is_restored_with_its_timers() -> None:
    """At every moment of a saga that is compensated."""
    turns = Turns(PLACE_ORDER, START)
    for step in (
        turns.time_out, turns.time_out, lambda: turns.answer(PaymentCompleted), turns.time_out,
        lambda: turns.answer(StockReservationFailed), turns.time_out,
    ):  # fmt: skip
        step()
        assert turns.progress
        again = decode(encode(turns.progress), PLACE_ORDER)

        assert turns.progress == again
        assert wakes_of(turns.progress) == wakes_of(again)


def test_the_same_arguments_always_give_the_same_decision() -> None:
    """Ids and jitter included: a handler that is run again after a rollback changes nothing."""
    one, other = Turns(PLACE_ORDER, START), Turns(PLACE_ORDER, START)
    for turns in (one, other):
        turns.time_out()
        turns.time_out()

    assert one.progress == other.progress
    assert one.sends == other.sends
    assert isinstance(one.sends[-1].message, ProcessPayment)
