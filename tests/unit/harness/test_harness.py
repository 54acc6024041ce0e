"""The harness as its users see it."""

import pytest
from msgspec.structs import replace
from thespian.actors import WakeupMessage

from examples.returns import RETURN_GOODS, Desk, GoodsReturned, Shelf, Till
from order_sagas.actors.entities import Order, Payment
from order_sagas.actors.messages import ProcessPayment
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.services.payments import PaymentService
from order_sagas.system.harness import (
    CANCELLED,
    COMPENSATING,
    COMPLETED,
    NEEDS_ATTENTION,
    RUNNING,
    ClockJump,
    CommitFails,
    Corrupt,
    Crash,
    Delay,
    Drop,
    Duplicate,
    Harness,
    LateAcks,
    Reorder,
    UnmetExpectation,
    Violated,
    an_order,
    hours,
    minutes,
    seconds,
)
from order_sagas.system.order_app import APP

BOTH_LOGS = pytest.mark.parametrize("log", ["embedded", "topics"])


@BOTH_LOGS
def test_a_scenario_of_a_silent_provider(log):
    """Five minutes of silence pass in milliseconds."""
    with Harness(seed=7, log=log) as system:
        order = system.place(an_order(lines={"SKU-1": 2}))
        system.payment.goes_silent()
        system.advance(minutes(5))
        system.expect(order).to_be(CANCELLED).having_sent("ROLLBACK_PAYMENT", "ROLLBACK_ORDER")
        system.expect_no_violations()


def test_nothing_happens_until_time_passes():
    """So that a test can inject faults first."""
    with Harness() as system:
        order = system.place(an_order())

        assert [] == system.sent(order)
        system.run()
        system.expect(order).to_be(COMPLETED)


@BOTH_LOGS
def test_a_service_that_recovers_answers_the_next_attempt(log):
    """The first attempt is lost, the second is answered."""
    with Harness(log=log) as system:
        order = system.place(an_order())
        system.stock.goes_silent()
        system.advance(seconds(5))
        system.expect(order).to_be(RUNNING)

        system.stock.recovers()
        system.advance(seconds(30))

        system.expect(order).to_be(COMPLETED)
        assert 2 == system.sent(order).count("RESERVE_STOCK")


def test_a_service_declines_one_order_and_not_another():
    """`order` limits any fault to one order."""
    with Harness() as system:
        first, second = system.place(an_order()), system.place(an_order())
        system.payment.declines(order=second)
        system.advance(1)

        system.expect(first).to_be(COMPLETED)
        system.expect(second).to_be(CANCELLED).because("declined")


def test_the_stock_service_declines():
    """The payment is refunded."""
    with Harness(local=False) as system:
        order = system.place(an_order())
        system.stock.declines()
        system.advance(1)

        cancelled = system.expect(order).to_be(CANCELLED)
        cancelled.having_sent("RESERVE_STOCK", "ROLLBACK_PAYMENT").not_having_sent("ROLLBACK_STOCK")
        with pytest.raises(AssertionError, match="not to have sent ROLLBACK_PAYMENT"):
            cancelled.not_having_sent("ORDER_COMPLETED", "ROLLBACK_PAYMENT")
        assert 0 == system.provider.kept(order)


@BOTH_LOGS
def test_late_answers_and_double_answers_are_ignored(log):
    """A late success after its compensation is recorded, a duplicate is not even that."""
    with Harness(log=log) as system:
        late, twice = system.place(an_order()), system.place(an_order())
        system.payment.answers_late(minutes(10), order=late)
        system.stock.answers_twice(order=twice, later=1.0)
        system.advance(minutes(20))

        system.expect(late).to_be(CANCELLED).having_ignored("PAYMENT_COMPLETED")
        system.expect(twice).to_be(COMPLETED).having_ignored("STOCK_RESERVED", "the saga has ended")


def test_a_provider_whose_refunds_fail_too_needs_attention():
    """Until an operator retries it."""
    with Harness() as system:
        order = system.place(an_order())
        system.payment.goes_silent(undo=True)
        system.advance(minutes(3))
        system.expect(order).to_be(COMPENSATING)
        system.advance(hours(1))
        system.expect(order).to_be(NEEDS_ATTENTION)

        system.payment.recovers()
        system.operator(order, "resume")
        system.advance(seconds(1))

        system.expect(order).to_be(CANCELLED)


def test_a_handler_that_raises_once_loses_nothing():
    """One that keeps raising makes a dead letter, and its step times out."""
    with Harness() as system:
        once, often = system.place(an_order()), system.place(an_order())
        system.payment.raises(order=once)
        system.payment.raises(times=6, order=often, status="PROCESS_PAYMENT")
        system.advance(minutes(2))

        system.expect(once).to_be(COMPLETED)
        system.expect(often).to_be(CANCELLED).because("timed_out")
        dead = [line for line in system.log() if line["event"] == "record.dead_lettered"]
        assert 3 == len(dead)


@BOTH_LOGS
@pytest.mark.parametrize(
    "fault",
    [
        Drop("PAYMENT_COMPLETED"),
        Duplicate("PROCESS_PAYMENT", times=3),
        Delay("STOCK_RESERVED", seconds=3.0),
        Reorder("ORDER_COMPLETED"),
        Corrupt("PROCESS_PAYMENT", how="truncated"),
        Corrupt("PROCESS_PAYMENT", how="garbled"),
        Corrupt("RESERVE_STOCK", how="emptied"),
        Corrupt("RESERVE_STOCK", how="unknown"),
        CommitFails(times=3),
        CommitFails(where="during"),
        CommitFails(where="after"),
        LateAcks(times=3, seconds=5.0),
        Crash("after commit", down=5.0),
        ClockJump(at=0.0, seconds=-30.0),
    ],
    ids=repr,
)
def test_one_fault_of_any_kind_does_not_change_the_outcome(fault, log):
    """At most an order waits for its retry."""
    with Harness(log=log, faults=[fault]) as system:
        order = system.place(an_order())
        system.advance(minutes(2))

        system.expect(order).to_be(COMPLETED)
        system.expect_no_violations()


def test_messages_between_actors_can_be_seen_dropped_and_sent():
    """For faults that have no class."""
    seen = []

    def spy(sender, receiver, message):
        seen.append(type(message).__name__)
        return [message]

    with Harness() as system:
        system.intercept(spy)
        order = system.place(an_order())
        system.run()
        system.send("payments", WakeupMessage(None, None))
        assert ["WakeupMessage"] == [type(m.message).__name__ for m in system.mailboxes()]

        assert {"Delivery", "Ack", "Ended"} <= set(seen)
        system.expect(order).to_be(COMPLETED)


def test_any_record_can_be_put_on_any_topic():
    """As a service of another system sends it."""
    with Harness() as system:
        order = system.place(an_order())
        system.payment.goes_silent()
        system.run()
        system.publish("payment-events", {"orderId": order, "status": "PAYMENT_COMPLETED"})
        system.publish("payment-events", b"not even JSON", key=order)
        system.run()

        system.expect(order).to_be(COMPLETED)


def test_the_worker_is_stopped_killed_and_started_again():
    """Timers continue; `elapsed` is the time of the harness."""
    with Harness() as system:
        order = system.place(an_order())
        system.payment.goes_silent()
        system.run()
        assert 1 == len(system.timers())

        system.stop()
        assert [] == system.timers()
        system.advance(minutes(1))
        system.restart()
        system.crash()
        system.restart()
        assert 1 == len(system.timers())
        system.advance(minutes(2))

        system.expect(order).to_be(CANCELLED)
        assert minutes(3) == system.elapsed


def test_what_is_stored_can_be_read():
    """Entities, sagas, stock, and the state of external systems."""
    with Harness(stock={"SKU-1": 5}, local=False) as system:
        order = system.place(an_order(lines={"SKU-1": 2}, unit_price=300))
        system.advance(1)

        assert ["COMPLETED"] == [each.status for each in system.books.all_of(Order)]
        assert ["COMPLETED"] == [payment.status for payment in system.books.all_of(Payment)]
        assert 3 == system.on_hand("SKU-1")
        assert 600 == system.provider.kept(order)
        assert [order] == list(system.mailbag.delivered)
        assert ["place-order"] == [saga.saga for saga in system.books.sagas(order)]


def test_another_app_runs_in_the_harness():
    """The harness uses only its definitions."""
    services = [*APP.services, Till, Shelf, Desk]
    with Harness(sagas=[PLACE_ORDER, RETURN_GOODS], services=services) as system:
        system.service("shelf").loses_replies(minutes(1))
        system.publish("till-events", GoodsReturned(order_id="ORD-9", amount=500))
        system.advance(hours(10))

        system.expect("ORD-9", "return-goods").to_be(COMPLETED)
        system.expect_no_violations()


def test_a_failed_expectation_shows_seed_faults_and_trace():
    """After the expectation, which is its message."""

    def scenario():
        with Harness(seed=11, faults=[Drop("PAYMENT_COMPLETED")]) as system:
            order = system.place(an_order())
            system.advance(minutes(1))
            system.expect(order).to_be(CANCELLED)

    with pytest.raises(UnmetExpectation, match="ORD-1 to be CANCELLED, and it is COM") as failure:
        scenario()

    told = failure.value.__notes__[0]
    assert "seed 11" in told
    assert '{"fault":"drop","status":"PAYMENT_COMPLETED"}' in told
    assert "process payment no answer after 30 s" in told


def test_a_broken_rule_is_found_at_the_commit_that_broke_it(monkeypatch):
    """With the name of the rule and the order."""
    right = PaymentService.handlers[ProcessPayment]

    def wrong(self, payment, command, now):
        answer = right(self, payment, command, now)
        return replace(answer, writes=tuple(replace(w, charges=2) for w in answer.writes))

    monkeypatch.setitem(PaymentService.handlers, ProcessPayment, wrong)
    with Harness() as system:
        system.place(an_order())
        system.run()
        with pytest.raises(Violated, match="charged once: ORD-1"):
            system.expect_no_violations()
