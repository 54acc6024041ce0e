"""Acknowledgements that arrive late, in order, and perhaps after their batch was rolled back."""

from thespian.actors import ActorAddress

from order_sagas.actors.protocol import NO_BATCH, Ack
from order_sagas.system.harness import COMPLETED, Harness, LateAcks, an_order, minutes
from order_sagas.system.harness.late_acks import AckDelays, AckQueues

PAYMENTS, STOCK = ActorAddress("payments"), ActorAddress("stock")


def test_acknowledgements_of_one_actor_stay_in_order():
    """A later one waits for the late one; those of other actors do not."""
    queues = AckQueues()
    first, second, other = Ack(1, 0), Ack(1, 1), Ack(1, 2)

    assert 7.0 == queues.put(first, PAYMENTS, 2.0, 5.0)
    assert 7.0 == queues.put(second, PAYMENTS, 3.0, 0.0)
    assert queues.put(other, STOCK, 3.0, 0.0) is None
    assert [first, second] == [queues.take(PAYMENTS), queues.take(PAYMENTS)]
    assert not queues
    assert queues.put(second, PAYMENTS, 3.0, 0.0) is None


def test_acknowledgements_are_counted_and_those_of_timers_are_not():
    """A timer belongs to no batch."""
    struck: list[tuple[object, ...]] = []
    delays = AckDelays(lambda *what: struck.append(what))
    fault = LateAcks(nth=2, times=1, seconds=4.0)
    delays.plan(fault)
    acks = (Ack(1, 0), Ack(NO_BATCH, 1), Ack(1, 1), Ack(1, 2))

    assert [0.0, 0.0, 4.0, 0.0] == [delays.delay(ack) for ack in acks]
    assert not delays
    assert [(fault, "", "an acknowledgement of batch 1")] == struck


def test_a_batch_is_open_until_its_last_acknowledgement_is_there():
    """And is committed then."""
    with Harness(faults=[LateAcks(seconds=5.0)]) as system:
        order = system.place(an_order())
        before = system.stage.database.commits
        system.advance(4.9)

        assert before == system.stage.database.commits
        system.advance(0.2)

        system.expect(order).to_be(COMPLETED)
        system.expect_no_violations()


def test_an_acknowledgement_does_not_count_in_a_later_batch():
    """The shards were lost while the batch was open, and its orders are read again."""
    late = LateAcks(nth=1, times=4, seconds=20.0)
    with Harness(log="topics", faults=[late]) as system:
        order = system.place(an_order())
        system.advance(1.0)
        worker = system.workers[0]
        assert worker.kafka
        worker.kafka.rebalance(5.0, lost=True)
        system.advance(minutes(5))

        report = worker.running.report() if worker.running else None
        assert report
        assert report.stale_acks
        system.expect(order).to_be(COMPLETED)
        system.expect_no_violations()
