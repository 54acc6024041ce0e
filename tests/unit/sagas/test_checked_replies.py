"""A reply that differs from its command is no success."""

from typing import Any

import pytest

from order_sagas import Each
from order_sagas.actors.choreographed_order import CHOREOGRAPHED_ORDER
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import (
    CancelSaga,
    OrderCreated,
    OrderLine,
    PaymentCompleted,
    PaymentRolledBack,
    RetryStep,
    SkipStep,
    StockReserved,
)
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Phase, Status
from tests.support.trips import FlightBooked, SeatBooked, TripWanted, a_flight, a_seat, a_trip
from tests.support.turns import Turns

PEN, INK = OrderLine(sku="PEN", quantity=2, unit_price=5000), OrderLine(sku="INK", quantity=1)
ORDER = OrderCreated(order_id="o-1", currency="EUR", lines=(PEN, INK))


def placed(saga: Any = PLACE_ORDER) -> Turns:
    """An order of EUR 100.00 that waits for its payment."""
    return Turns(saga, ORDER)


def reason(turns: Turns) -> str:
    """Why the saga needs attention, as its history says."""
    assert turns.progress
    assert "saga.needs_attention" == turns.progress.history[-1].event
    return turns.progress.history[-1].note


@pytest.mark.parametrize(
    ("fields", "charged"),
    [
        ({"amount": 100, "currency": "EUR"}, "EUR 1.00"),
        ({"amount": 10_000, "currency": "JPY"}, "JPY 10,000"),
        ({"amount": 9_999}, "EUR 99.99"),
        ({"currency": "EUR"}, "EUR 0.00"),
    ],
)
@pytest.mark.parametrize("saga", [PLACE_ORDER, CHOREOGRAPHED_ORDER], ids=lambda saga: saga.version)
def test_another_amount_or_currency_needs_attention(saga, fields, charged) -> None:
    """With both figures; nothing is sent."""
    turns = placed(saga)
    before = turns.sent
    turns.answer(PaymentCompleted, **fields)

    assert Status.NEEDS_ATTENTION == turns.status
    assert before == turns.sent
    assert (
        f"answered PAYMENT_COMPLETED, but {charged} was charged, and EUR 100.00 was asked for"
        == reason(turns)
    )


@pytest.mark.parametrize(
    "fields", [{}, {"amount": 10_000}, {"amount": 10_000, "currency": "eur"}], ids=str
)
def test_the_requested_amount_is_a_success(fields) -> None:
    """So is a reply without an amount, as other services send it."""
    turns = placed()
    turns.answer(PaymentCompleted, **fields)

    assert ["ProcessPayment", "ReserveStock"] == turns.sent


def test_other_goods_need_attention() -> None:
    """The first that differ are named, however the lines are divided."""
    turns = placed()
    turns.answer(PaymentCompleted)
    turns.answer(StockReserved, lines=(PEN, OrderLine(sku="CAP", quantity=1)))

    assert Status.NEEDS_ATTENTION == turns.status
    assert "1 of CAP instead of 0, 0 of INK instead of 1" in reason(turns)


def test_the_same_goods_in_other_lines_are_a_success() -> None:
    """Quantities of a SKU are added up, and prices are not compared."""
    turns = placed()
    turns.answer(PaymentCompleted)
    half = OrderLine(sku="PEN", quantity=1)
    turns.answer(StockReserved, lines=(INK, half, half))

    assert Status.COMPLETED == turns.status


def test_a_repeated_wrong_reply_is_counted_and_a_right_one_continues() -> None:
    """A service that corrects its reply needs no operator."""
    turns = placed()
    turns.answer(PaymentCompleted, amount=100)
    turns.answer(PaymentCompleted, amount=100)
    turns.answer(PaymentCompleted, amount=100)
    assert turns.progress
    history = [(entry.event, entry.times) for entry in turns.progress.history[1:]]
    turns.answer(PaymentCompleted, amount=10_000)

    assert [("saga.needs_attention", 1), ("saga.message_ignored", 2)] == history
    assert Status.RUNNING == turns.status
    assert "ReserveStock" == turns.sent[-1]


def test_an_operator_retries_accepts_or_cancels() -> None:
    """Cancelled, the payment is refunded: money was taken."""
    turns = placed()
    turns.answer(PaymentCompleted, amount=100)
    turns.answer(RetryStep, step="process payment", saga="place-order")
    again = turns.sent[-1]
    turns.answer(PaymentCompleted, amount=100)
    stuck = turns.status
    turns.answer(SkipStep, step="process payment", saga="place-order", why="a discount")
    cancelled = placed()
    cancelled.answer(PaymentCompleted, amount=100)
    cancelled.answer(CancelSaga, saga="place-order", why="wrong amount")
    cancelled.answer(PaymentRolledBack)

    assert ("ProcessPayment", Status.NEEDS_ATTENTION) == (again, stuck)
    assert (Status.RUNNING, "ReserveStock") == (turns.status, turns.sent[-1])
    assert ["ProcessPayment", "RollbackPayment", "RollbackOrder"] == cancelled.sent


def of_seat(start: TripWanted, traveller: str, reply: SeatBooked) -> str:
    """A seat is named by its traveller."""
    return "" if reply.seat == traveller else f"{traveller} was given {reply.seat}"


def test_the_reply_of_an_item_is_checked_with_the_item() -> None:
    """Only that item is stuck."""
    row: Any = Each("book seats", over=lambda start: start.travellers, step=a_seat(check=of_seat))
    turns = Turns(a_trip(row), TripWanted(order_id="T-1", travellers=("ann", "bob")))
    turns.answer(SeatBooked, step="book seat[0]", seat="ann")
    turns.answer(SeatBooked, step="book seat[1]", seat="9C")
    assert turns.progress

    assert "bob was given 9C" in reason(turns)
    assert [Phase.DONE, Phase.STUCK] == [step.phase for step in turns.progress.steps[-2:]]


def check_of_one(start: TripWanted) -> str:
    """A check without a parameter for the reply."""
    return ""


WRONG = {
    "takes 1 arguments": lambda: a_trip(a_flight(done=FlightBooked, check=check_of_one)),
    "waits for none": lambda: a_flight(
        done=None, failed=None, within=None, ask=None, unknown=None, check=of_seat
    ),
    "must be a function": lambda: a_flight(check="equal"),
}


@pytest.mark.parametrize("problem", WRONG)
def test_an_invalid_check_is_refused(problem) -> None:
    """When the definition is built."""
    with pytest.raises(DefinitionError, match=problem):
        WRONG[problem]()
