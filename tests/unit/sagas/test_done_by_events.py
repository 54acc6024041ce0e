"""Steps done by events: their participants act on records of other services."""

import json
from pathlib import Path

import attrs
import pytest

from order_sagas.actors.choreographed_order import CHOREOGRAPHED_ORDER
from order_sagas.actors.entities import Order
from order_sagas.actors.messages import (
    CancelSaga,
    OrderCreated,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    RollbackPayment,
    StockReservationFailed,
    StockReserved,
)
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Status, minutes
from order_sagas.bridges.audit import examine, ledger_of
from order_sagas.bridges.storage.queries import reading
from order_sagas.system.app import app_of, roles_here
from order_sagas.system.choreographed_app import APP
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, load_settings
from order_sagas.system.settings.errors import SettingError
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.turns import Turns
from tests.support.virtual_kafka import VirtualKafkaSystem

START = OrderCreated(order_id="o-1", event_id="start", customer_id="c-1")
SETTINGS = {"services": "choreographed"}


def test_the_saga_waits_for_events_and_sends_no_command() -> None:
    """Only the order's end is sent."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    assert turns.progress
    assert turns.now + minutes(5) == turns.progress.deadline

    turns.answer(PaymentCompleted)
    turns.answer(StockReserved)

    assert ["OrderCompleted", "OrderCompleted"] == turns.sent
    assert Status.COMPLETED == turns.status


def test_a_failure_undoes_what_was_done_and_waits_for_no_acknowledgement() -> None:
    """Newest first."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.answer(PaymentCompleted)
    turns.answer(StockReservationFailed, code="out_of_stock")

    assert [
        "RollbackPayment", "RollbackOrder", "OrderCancelled", "OrderCancelled",
    ] == turns.sent  # fmt: skip
    assert Status.CANCELLED == turns.status


def test_an_event_that_never_comes_is_waited_for_once() -> None:
    """There is no command to send again. Its step is undone, because its outcome is unknown, and so
    are the steps whose participants act on that outcome.
    """
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.time_out()

    assert Status.CANCELLED == turns.status
    assert turns.progress
    assert "timed_out" == turns.progress.code
    assert ["RollbackStock", "RollbackPayment", "RollbackOrder"] == turns.sent[:3]


def test_a_step_done_after_its_undo_is_undone_again() -> None:
    """The first compensation may have come before there was anything to undo."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.time_out()
    sent = len(turns.sends)
    turns.answer(PaymentCompleted, event_id="late")
    turns.answer(PaymentCompleted, event_id="late")
    first, again = turns.sends[sent:]

    assert isinstance(first.message, RollbackPayment)
    assert first == again  # one record that comes twice has one consequence
    assert "place-order/o-1/process payment:undo:late" == first.message.event_id
    assert ["the saga has ended"] * 2 == turns.ignored


def test_a_step_that_follows_from_a_late_event_is_undone_too() -> None:
    """The stock service acts on a payment, whether the saga goes on or not."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.time_out()
    turns.answer(PaymentCompleted, event_id="late")
    turns.answer(StockReserved, event_id="later")

    assert ["RollbackPayment", "RollbackStock"] == turns.sent[-2:]


def test_cancelling_undoes_every_step_that_may_have_been_done() -> None:
    """The stock service may act on a payment whose reply has not arrived."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.deliver(CancelSaga(order_id="o-1", by="me"))

    assert ["RollbackStock", "RollbackPayment", "RollbackOrder"] == turns.sent[:3]
    assert Status.CANCELLED == turns.status


def test_nothing_follows_from_a_step_that_has_failed() -> None:
    """No stock is reserved for a payment that was declined."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.answer(PaymentFailed)

    assert ["RollbackOrder", "OrderCancelled", "OrderCancelled"] == turns.sent


@pytest.mark.parametrize("late", [PaymentFailed, StockReservationFailed])
def test_a_late_failure_needs_no_compensation(late) -> None:
    """Nothing was done."""
    turns = Turns(CHOREOGRAPHED_ORDER, START)
    turns.time_out()
    sent = len(turns.sends)
    turns.answer(late)

    assert [] == turns.sends[sent:]


def test_a_late_answer_to_a_command_is_only_ignored() -> None:
    """Its participant remembers the compensation, and refuses the command."""
    turns = Turns(PLACE_ORDER, START)
    turns.deliver(CancelSaga(order_id="o-1", by="me"))
    sent = len(turns.sends)
    turns.answer(PaymentCompleted)

    assert [] == turns.sends[sent:]


def test_an_order_of_choreographed_services_ends_consistently(tmp_path: Path) -> None:
    """With the order service here, and the audit of the stored data."""
    with EmbeddedSystem(
        tmp_path, settings=SETTINGS, sagas=APP.sagas, services=APP.services
    ) as system:
        for number in range(3):
            system.put(an_order(f"o-{number}"))
        for number in range(2):
            system.put(PaymentCompleted(order_id=f"o-{number}"), topic="payment-events")
        system.put(StockReserved(order_id="o-0"), topic="stock-events")
        system.put(StockReservationFailed(order_id="o-1"), topic="stock-events")
        system.advance(minutes(6))
        system.put(PaymentCompleted(order_id="o-2", event_id="late"), topic="payment-events")

        assert ["COMPLETED", "CANCELLED", "CANCELLED"] == [
            system.status(f"o-{number}") for number in range(3)
        ]
        order = system.entity(Order, "o-2")
        assert order
        assert (Order.CANCELLED, "timed_out") == (order.status, order.code)
        assert ["ROLLBACK_PAYMENT", "PAYMENT_COMPLETED", "ROLLBACK_PAYMENT"] == [
            status for status in system.statuses_of("o-2") if "PAYMENT" in status
        ]
        assert [] == system.records("dead-letters")
        with reading(system.settings.database) as db:
            report = examine(ledger_of(db), APP.sagas, ended=True, elsewhere=APP.elsewhere)
        assert [] == report.violations
        assert "all notified" not in {finding.check.name for finding in report.findings}


def test_the_settings_choose_the_definition_and_the_roles() -> None:
    """Services that act on events run elsewhere: no process can be started for them."""
    settings, _ = load_settings(SETTINGS, {})

    assert ("orchestrator", "orders") == roles_here(settings, app_of(settings))
    assert CHOREOGRAPHED_ORDER is registry_of(settings).started_by[OrderCreated]
    assert PLACE_ORDER is registry_of(Settings()).started_by[OrderCreated]
    with pytest.raises(SettingError, match="'payment' is no role of the app"):
        roles_here(attrs.evolve(settings, roles=("orchestrator", "payment")), app_of(settings))
    with pytest.raises(SettingError, match=r"services.*is for the app"):
        app_of(attrs.evolve(settings, app="examples.returns:APP"))


def test_records_of_the_saga_have_the_fields_that_other_services_read(tmp_path: Path) -> None:
    """Order id and status, on the topic of each."""
    with EmbeddedSystem(
        tmp_path, settings=SETTINGS, sagas=APP.sagas, services=APP.services
    ) as system:
        system.put(an_order())
        system.put(PaymentFailed(order_id="o-1", code="declined"), topic="payment-events")
        sent = {
            topic: [(r["orderId"], r["status"]) for r in system.records(f"{topic}-events")]
            for topic in ("order", "payment", "stock", "notification")
        }

        assert {
            "order": [
                ("o-1", "ORDER_CREATED"), ("o-1", "ROLLBACK_ORDER"), ("o-1", "ORDER_CANCELLED"),
                ("o-1", "ORDER_ROLLED_BACK"),
            ],
            "payment": [("o-1", "PAYMENT_FAILED")],
            "stock": [],
            "notification": [("o-1", "ORDER_CANCELLED")],
        } == sent, json.dumps(sent)  # fmt: skip


def test_acknowledgements_that_nobody_waits_for_are_no_dead_letters(tmp_path: Path) -> None:
    """Neither those of our own order service, nor those of services elsewhere."""
    with VirtualKafkaSystem(
        tmp_path, settings=SETTINGS, sagas=APP.sagas, services=APP.services
    ) as system:
        system.put(an_order())
        system.put(PaymentFailed(order_id="o-1"), topic="payment-events")
        system.put(PaymentRolledBack(order_id="o-1"), topic="payment-events")
        system.advance(5)

        assert "CANCELLED" == system.status("o-1")
        assert any(b"ORDER_ROLLED_BACK" in (r.value or b"") for r in system.broker.records)
        assert [] == system.broker.of("dead-letters")
