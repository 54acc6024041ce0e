"""Bugs that simulation found, each as the shortest scenario that shows it."""

import pytest

from examples.returns import RETURN_GOODS, Desk, GoodsReturned, Shelf, Till
from order_sagas.actors.entities import Payment
from order_sagas.actors.messages import MAIN
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.system.harness import (
    CANCELLED,
    COMPLETED,
    AckFails,
    CallFails,
    CommitFails,
    Duplicate,
    Harness,
    Operator,
    Pause,
    WorkerStops,
    an_order,
    minutes,
)
from order_sagas.system.order_app import APP


def test_a_refund_waits_until_the_outcome_of_its_charge_is_known():
    """A refund of a charge with an unknown outcome refunded nothing, and replied as if it had."""
    with Harness(local=False, faults=[CallFails(nth=0, how="lost")]) as system:
        order = system.place(an_order())
        system.advance(100)  # the charge was requested, its answer is lost, and it has to be undone
        system.all_is_well()
        system.advance(minutes(5))

        system.expect(order).to_be(CANCELLED)
        payment = system.books.of(Payment, order)
        assert payment
        assert ("REFUNDED", 1, 1) == (payment.status, payment.charges, payment.refunds)
        assert 0 == system.provider.kept(order)
        system.expect_no_violations()


def test_a_charge_that_was_requested_twice_counts_once():
    """The second answer counted again while the refund of the first was under way."""
    faults = [Duplicate("PROCESS_PAYMENT"), Operator(at=0.02, order="ORD-1")]
    with Harness(local=False, faults=faults) as system:
        order = system.place(an_order())
        system.advance(minutes(1))

        system.expect(order).to_be(CANCELLED)
        payment = system.books.of(Payment, order)
        assert payment
        assert ("REFUNDED", 1, 1) == (payment.status, payment.charges, payment.refunds)
        system.expect_no_violations()


@pytest.mark.parametrize("log", ["embedded", "topics"])
def test_an_order_whose_saga_has_ended_can_have_another_saga(log):
    """A saga for the return of its goods was ignored as a duplicate of the order."""
    services = [*APP.services, Till, Shelf, Desk]
    with Harness(sagas=[PLACE_ORDER, RETURN_GOODS], services=services, log=log) as system:
        order = system.place(an_order())
        system.advance(minutes(1))
        system.expect(order, "place-order").to_be(COMPLETED)

        system.publish("till-events", GoodsReturned(order_id=order, amount=1000))
        system.advance(minutes(1))

        system.expect(order, "return-goods").to_be(COMPLETED)
        system.publish("till-events", GoodsReturned(order_id=order, amount=1000))
        system.advance(minutes(1))
        system.expect(order, "return-goods").having_ignored("GOODS_RETURNED", "has ended")
        system.expect_no_violations()


def test_an_unreadable_dead_letter_makes_no_other_dead_letter():
    """A record put there by hand made another one, and so on, until the disk was full."""
    with Harness() as system:
        system.publish("dead-letters", {"orderId": "ORD-1", "status": "PAYMENT_COMPLETED"})
        order = system.place(an_order())
        system.advance(minutes(1))

        system.expect(order).to_be(COMPLETED)
        assert [] == [e for e in system.log() if e["event"] == "record.dead_lettered"]


def test_a_failed_commit_gives_no_order_the_number_of_another():
    """Numbers of a failed transaction were kept and then assigned again: rows were lost."""
    with Harness(stock={"SKU-1": 10}, batch_size=1) as system:
        system.run()
        system.on(CommitFails(nth=1, where="during"))
        orders = [system.place(an_order()) for _ in range(3)]
        system.advance(minutes(1))

        for order in orders:
            system.expect(order).to_be(COMPLETED)
        system.expect_no_violations()


def test_the_outbox_of_a_dead_worker_is_published_for_orders_of_other_shards():
    """A record was stored under the order's shard, and waited until the shard moved."""
    with Harness(log="topics", workers=2, faults=[AckFails(times=10_000, written=True)]) as system:
        orders = [system.place(an_order()) for _ in range(8)]
        system.run()
        system.stage.kafka_troubles.clear()
        stock = system.stage.outgoing("stock-events", MAIN, b"").partition
        for worker in [each for each in system.workers.values() if stock in each.processor.shards]:
            system.remove_worker(worker.number, killed=True)
        system.advance(minutes(5))

        for order in orders:
            system.expect(order).to_be(COMPLETED)
        assert [] == outbox(system)
        system.expect_no_violations()


def test_a_timer_batch_whose_commit_is_unknown_is_not_stored_twice():
    """It moves no offset, so the next attempt stored its records again."""
    with Harness(log="topics") as system:
        order = system.place(an_order())
        system.payment.goes_silent()
        system.advance(29)
        system.on(CommitFails(nth=2, where="after"))  # the one that sends the command again
        system.advance(minutes(5))

        system.expect(order).to_be(CANCELLED)
        assert [] == outbox(system)
        system.expect_no_violations()


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_late_call_of_a_suspended_worker_has_the_same_key(stopped):
    """The new owner of the shard, which had stopped meanwhile, took it for a repetition."""
    faults = [Pause("after commit", nth=2, seconds=60), WorkerStops(at=50, worker=stopped)]
    with Harness(local=False, log="topics", workers=2, faults=faults) as system:
        order = system.place(an_order())
        system.advance(minutes(5))

        system.expect(order).to_be(COMPLETED)
        charge = ("payments", "charge", order)
        assert 2 == system.stage.calls.heard[charge]
        assert [order] == [*system.stage.calls.keys[charge]]
        system.expect_no_violations()


def outbox(system):
    """The records in the outbox."""
    return [*system.books.connection.rows("SELECT id, topic, key FROM outbox", ())]
