"""Several workers on a simulated Kafka: moves of shards, and faults of Kafka and workers."""

import pytest

from order_sagas.actors.entities import Payment
from order_sagas.actors.sagas.durations import days
from order_sagas.bridges.processor.outbox_publisher import OutboxPublisher
from order_sagas.system.harness import (
    COMPLETED,
    AckFails,
    BrokerAway,
    ClockSkew,
    Harness,
    Pause,
    Rebalance,
    RefusedAsTooLarge,
    WorkerStarts,
    WorkerStops,
    an_order,
    minutes,
)
from order_sagas.system.harness.faults import from_json, to_json
from order_sagas.system.harness.waiting import check_waiting

ALL = [0, 1, 2, 3]


def owned(system: Harness) -> list[list[int]]:
    """The shards of each worker, as it reports them."""
    return [sorted(system.workers[number].processor.shards) for number in sorted(system.workers)]


def run_orders(system: Harness, count: int = 6) -> None:
    """Place orders, let time pass, and expect all of them to be completed."""
    orders = [system.place(an_order()) for _ in range(count)]
    system.advance(minutes(10))
    for order in orders:
        system.expect(order).to_be(COMPLETED)
    assert [] == list(check_waiting(system, owned=True))
    system.expect_no_violations()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_share_the_shards(workers):
    """As evenly as it goes; each shard has one owner."""
    with Harness(log="topics", workers=workers) as system:
        run_orders(system)

        assert ALL == sorted(shard for shards in owned(system) for shard in shards)
        assert max(map(len, owned(system))) - min(map(len, owned(system))) <= 1


def test_workers_join_leave_and_are_killed():
    """A third joins, one leaves in good order, and one is killed for good."""
    faults = [WorkerStarts(5), WorkerStops(30, 0), WorkerStops(60, 1, killed=True)]
    with Harness(log="topics", workers=2, faults=faults) as system:
        system.advance(1)
        assert 2 == len(system.workers)
        system.advance(20)
        assert 3 == len(system.workers)
        run_orders(system)

        assert [ALL] == owned(system)


def test_a_killed_worker_keeps_its_shards_until_its_session_times_out():
    """Like a real broker, which does not notice a crash."""
    with Harness(log="topics", workers=2) as system:
        system.advance(1)
        system.remove_worker(0, killed=True)
        system.advance(9)
        assert [2] == [len(shards) for shards in owned(system)]
        system.advance(5)
        assert [ALL] == owned(system)


def test_the_embedded_log_has_one_worker():
    """Several would need shards of their own."""
    with pytest.raises(ValueError, match="several workers"):
        Harness(workers=2)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("point", ["before commit", "before message", "after commit"])
def test_a_zombies_commit_is_refused(point, whole):
    """It was paused while others took over its shards, and continues in the middle of a batch."""
    faults = [Pause(point, nth=6, seconds=40, whole=whole)]
    with Harness(log="topics", workers=2, local=False, faults=faults) as system:
        run_orders(system)

        payments = system.books.all_of(Payment)
        assert {(payment.charges, payment.refunds) for payment in payments} == {(1, 0)}


@pytest.mark.parametrize("lost", [True, False])
def test_shards_move_in_the_middle_of_a_batch(lost):
    """Revoked in order, or given to others at once."""
    faults = [Rebalance(nth=nth, seconds=2, lost=lost) for nth in (20, 45, 60)]
    with Harness(log="topics", workers=2, faults=faults) as system:
        assert system.kafka
        generation = system.kafka.group.generation
        run_orders(system)

        assert system.kafka.group.generation > generation + 2


@pytest.mark.parametrize(
    "fault",
    [
        AckFails(nth=3, times=5),
        AckFails(nth=3, times=5, written=True),
        BrokerAway(nth=10, seconds=20),
        BrokerAway(nth=10, seconds=200),
        RefusedAsTooLarge("PAYMENT_COMPLETED"),
        ClockSkew(worker=0, seconds=-120),
        ClockSkew(worker=1, seconds=20, drift=0.01),
    ],
    ids=repr,
)
def test_orders_end_despite_faults_of_kafka_and_clocks(fault):
    """The fault is data, and can be replayed from JSON."""
    with Harness(log="topics", workers=2, faults=from_json(to_json([fault]))) as system:
        run_orders(system)


def test_a_refused_record_leaves_a_dead_letter():
    """Its saga sends the command again after the deadline."""
    with Harness(log="topics", faults=[RefusedAsTooLarge("PAYMENT_COMPLETED")]) as system:
        run_orders(system, 1)

        assert system.kafka
        letters = [record for record in system.kafka.topics if record.topic == "dead-letters"]
        assert [b"PAYMENT_COMPLETED" in (record.value or b"") for record in letters] == [True]


def test_a_saga_without_a_timer_is_a_violation():
    """Nothing would ever continue it."""
    with Harness(log="topics") as system:
        order = system.place(an_order())
        system.payment.goes_silent()
        system.advance(1)
        assert [] == list(check_waiting(system, owned=True))
        assert system.worker
        system.worker.base.timer_heap._heap.clear()

        assert [f"place-order/{order}"] == [broken.subject for broken in check_waiting(system)]


def test_sweeps_of_idle_workers_are_skipped_for_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their sweeps find nothing; those shortly before an event are run."""
    with Harness(log="topics") as system:
        swept: list[float] = []
        sweep = OutboxPublisher._sweep

        def count(publisher: OutboxPublisher) -> None:
            swept.append(system.elapsed)
            sweep(publisher)

        monkeypatch.setattr(OutboxPublisher, "_sweep", count)
        system.advance(days(7))

    assert len(swept) < 100
    assert days(7) - 60 <= swept[-5]
