"""Why sagas are stuck, and the groups of those that are stuck for one cause."""

import pytest

from order_sagas.actors.messages import (
    CancelSaga,
    OrderCreated,
    OrderLine,
    PaymentCompleted,
    ResumeSaga,
    StockReservationFailed,
    StockReserved,
)
from order_sagas.actors.place_order import PLACE_ORDER, charge, reserve
from order_sagas.actors.sagas import ONCE, Participant, Saga, Step
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.payment_gateway import Declined, NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.operations import stuck
from order_sagas.bridges.operations.stuck import groups_of, stuck_sagas, why_stuck
from order_sagas.bridges.storage import queries
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.turns import Turns

GONE = (OrderLine(sku="GONE", quantity=1, unit_price=100),)
SHOP = Participant("shop", topic="shop-events")
AFTER_PIVOT = Saga("after-pivot", 1, OrderCreated, [
    Step("pay", to=SHOP, do=charge, done=PaymentCompleted, within=10, pivot=True),
    Step("ship", to=SHOP, do=reserve, done=StockReserved, failed=StockReservationFailed,
         within=10, retry=ONCE),
])  # fmt: skip


class RefusesRefunds(SimulatedGateway):
    """Declines the refunds of orders B and C, and does not answer to the others."""

    def refund(self, refund):
        """Decline, or say nothing."""
        if refund.order_id in "BC":
            return Declined("account_frozen", f"ask ann@example.com about '{refund.order_id}'")
        return NoAnswer()


@pytest.fixture
def refused(tmp_path):
    """Orders A to D, whose payments can't be refunded, for two causes."""
    with EmbeddedSystem(tmp_path, gateway=RefusesRefunds()) as system:
        system.put(*(an_order(order_id, lines=GONE) for order_id in "ABCD"))
        system.advance(hours(5))
        yield system


def found(system, registry=None, **which):
    """What is stuck in its database."""
    with queries.reading(system.settings.database) as db:
        return list(stuck_sagas(db, registry or Registry([PLACE_ORDER]), **which))


def test_what_the_provider_said_is_the_cause(refused):
    """Without what differs from order to order, and without addresses."""
    groups = groups_of(found(refused))

    assert {
        ("process payment", "out_of_stock", "refund, outcome unknown: the provider gave no answer"):
        2,
        ("process payment", "out_of_stock",
         "refund declined: account_frozen: ask [address] about …"): 2,
    } == {(each.step, each.code, each.cause): each.count for each in groups}  # fmt: skip
    assert all(each.oldest < each.since for each in groups)


def test_without_the_definition_a_saga_had_no_answer(refused):
    """Which service was asked is not known then."""
    assert {"no answer"} == {each.cause for each in found(refused, Registry([AFTER_PIVOT]))}


def test_the_oldest_are_looked_at(refused, monkeypatch):
    """However many there are."""
    monkeypatch.setattr(stuck, "LOOKED_AT", 3)

    assert ["A", "B", "C"] == [each.saga_id.partition("/")[2] for each in found(refused)]


def test_those_of_given_orders_are_found_however_many_there_are(refused, monkeypatch):
    """So a page of a list has all its causes, and costs no more with many others."""
    monkeypatch.setattr(stuck, "LOOKED_AT", 2)

    assert ["place-order/B", "place-order/D"] == [
        each.saga_id for each in found(refused, order_ids={"B", "D", "none"})
    ]


def test_a_refused_step_is_stuck_for_what_was_answered():
    turns = Turns(AFTER_PIVOT, OrderCreated(order_id="o-1"))
    turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed, code="broken", reason="dock 7 of 'main' is closed")

    assert turns.progress
    assert ("ship", "dock … of … is closed") == why_stuck(turns.progress)[:2]


def test_a_step_that_is_stuck_again_is_so_for_the_last_cause():
    """An operator's retry in between is no cause, nor is a message that was ignored."""
    turns = Turns(AFTER_PIVOT, OrderCreated(order_id="o-1"))
    turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed, code="broken", reason="the dock is closed")
    turns.deliver(ResumeSaga(order_id="o-1", saga="after-pivot", by="ann", why="it is open"))
    turns.time_out()
    turns.deliver(CancelSaga(order_id="o-1", saga="after-pivot", by="ann", why="x"))
    assert turns.progress
    step, cause, since = why_stuck(turns.progress)

    assert ("ship", "no answer") == (step, cause)
    assert since == turns.now
