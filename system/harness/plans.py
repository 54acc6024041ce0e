"""Random plans of faults for a simulation, drawn from its seed."""

import random
from collections.abc import Callable, Sequence

import attrs

from order_sagas.system.harness import faults
from order_sagas.system.harness.vocabulary import ORDER_BUSINESS, Vocabulary

POINTS = (
    "before commit", "after commit", "after commit", "after publish",
    "before send", "after send", "before message", "before wakeup",
)  # fmt: skip
DAMAGES = ("truncated", "garbled", "emptied", "unknown")


@attrs.frozen
class Level:
    """The number of faults: per order, and of the workers and of Kafka per run."""

    of_orders: float
    of_worker: int
    of_kafka: int
    """Mean number of faults of Kafka and of the workers of its group."""


LEVELS = {"none": Level(0.0, 0, 0), "light": Level(0.1, 1, 1), "heavy": Level(0.5, 5, 4)}


@attrs.frozen
class Draw:
    """The random generator and the parameters from which faults are drawn."""

    rng: random.Random
    orders: Sequence[str]
    horizon: float
    """Seconds in which orders arrive."""
    workers: int
    words: Vocabulary = ORDER_BUSINESS

    def order(self) -> str:
        """Draw the id of an order."""
        return self.rng.choice(self.orders)

    def at(self) -> float:
        """Draw a time."""
        return round(self.rng.uniform(0, self.horizon), 3)

    def wait(self) -> float:
        """Draw a duration, mostly short, sometimes longer than any deadline."""
        return round(self.rng.choice((0.0, 0.01, 1.0, 12.0, 45.0, 200.0)) * self.rng.random(), 3)

    def span(self) -> tuple[float, float]:
        """Draw a start and an end."""
        since = self.at()
        return since, round(since + self.rng.choice((1.0, 20.0, 100.0)), 3)


def random_plan(
    rng: random.Random,
    level: Level,
    orders: Sequence[str],
    horizon: float,
    workers: int = 0,
    words: Vocabulary = ORDER_BUSINESS,
) -> list[faults.Fault]:
    """Draw faults by the level, each aimed at an order, a time or a point.

    If `workers` is not 0, faults of Kafka are included.
    """
    draw = Draw(rng, orders, horizon, workers, words)
    of_orders = round(level.of_orders * len(orders) * rng.uniform(0.5, 1.5)) if orders else 0
    weights = [words.overtaking if make is _overtaken else n for n, make in _WEIGHED]
    plan = _once([rng.choices(_OF_ORDERS, weights)[0](draw) for _ in range(of_orders)])
    plan += [rng.choice(_OF_WORKER)(draw) for _ in range(rng.randint(0, 2 * level.of_worker))]
    if workers:
        plan += [rng.choice(_OF_KAFKA)(draw) for _ in range(rng.randint(0, 2 * level.of_kafka))]
        # Last, so that the seeds of former plans have the same faults as before, and perhaps these.
        plan += [_late_acks(draw) for _ in range(rng.choice((0, 1, 2 * level.of_kafka)))]
    return plan


def _once(plan: list[faults.Fault]) -> list[faults.Fault]:
    """Keep at most one `Raises` without a status for each service and order.

    Two could make a dead letter of a message without a deadline, which an operator has to replay.
    """
    kept: list[faults.Fault] = []
    failing: set[tuple[str, str]] = set()
    for fault in plan:
        if isinstance(fault, faults.Raises) and not fault.status:
            if (fault.service, fault.order) in failing:
                continue
            failing.add((fault.service, fault.order))
        kept.append(fault)
    return kept


def _drop(d: Draw) -> faults.Fault:
    return faults.Drop(d.rng.choice(d.words.waited_for), d.order())


def _duplicate(d: Draw) -> faults.Fault:
    status = d.rng.choice(d.words.every)
    nth, times = d.rng.randint(1, 2) if status in d.words.twice else 1, d.rng.randint(1, 2)
    return faults.Duplicate(status, d.order(), nth, later=d.wait(), times=times)


def _delay(d: Draw) -> faults.Fault:
    return faults.Delay(d.rng.choice(d.words.every), d.order(), seconds=d.wait())


def _overtaken(d: Draw) -> faults.Fault:
    """Delay every attempt of a command, in half of the cases until its compensation was sent."""
    status, given_up_after = d.rng.choice([*d.words.overtaken.items()])
    order, share = d.order(), d.rng.uniform(0.2, 2.0)
    return faults.Delay(status, order, nth=0, seconds=round(share * given_up_after, 3))


def _reorder(d: Draw) -> faults.Fault:
    return faults.Reorder(d.rng.choice(d.words.every), d.order())


def _corrupt(d: Draw) -> faults.Fault:
    return faults.Corrupt(d.rng.choice(d.words.waited_for), d.order(), how=d.rng.choice(DAMAGES))


def _silent(d: Draw) -> faults.Fault:
    undo = d.rng.random() < 0.3
    return faults.Silent(d.rng.choice(d.words.answering), d.order(), undo=undo)


def _declines(d: Draw) -> faults.Fault:
    if not d.words.declining:
        return _silent(d)
    return faults.Declines(d.rng.choice(d.words.declining), d.order())


def _loses(d: Draw) -> faults.Fault:
    return faults.LosesReplies(d.rng.choice(d.words.services), d.order(), 0.0, d.at())


def _slow(d: Draw) -> faults.Fault:
    return faults.Slow(d.rng.choice(d.words.services), d.order(), seconds=d.wait())


def _twice(d: Draw) -> faults.Fault:
    return faults.AnswersTwice(d.rng.choice(d.words.answering), d.order(), later=d.wait())


def _raises(d: Draw) -> faults.Fault:
    if d.rng.random() < 0.5:
        return faults.Raises(d.rng.choice(d.words.raising), d.order(), times=1)
    service, status = d.rng.choice(d.words.commands)
    outright = d.rng.random() < 0.5
    return faults.Raises(
        service, d.order(), status=status, times=d.rng.randint(1, 4), outright=outright
    )


def _call(d: Draw) -> faults.Fault:
    how = d.rng.choice(("before", "after", "lost"))
    return faults.CallFails(d.order(), nth=d.rng.randint(1, 2), how=how)


def _operator(d: Draw) -> faults.Fault:
    return faults.Operator(d.at(), d.order(), d.rng.choice(("cancel", "cancel", "resume")))


def _junk(d: Draw) -> faults.Fault:
    topic = d.rng.choice(d.words.topics)
    order = d.order()
    value = d.rng.choice(d.words.junk).replace("{order}", order)
    return faults.Put(d.at(), topic, value)


def _crash(d: Draw) -> faults.Fault:
    down = d.wait() if d.rng.random() < 0.5 else 0.0
    point = d.rng.choice(POINTS)
    farthest = 400 if point.endswith(("send", "message")) else 30
    return faults.Crash(point, d.rng.randint(1, farthest), down)


def _commit(d: Draw) -> faults.Fault:
    where = d.rng.choice(("before", "during", "after"))
    nth = d.rng.randint(1, d.rng.choice((4, 30)))
    return faults.CommitFails(nth, d.rng.randint(1, 3), where)


def _read(d: Draw) -> faults.Fault:
    return faults.ReadFails(d.rng.randint(1, 40))


def _shard(d: Draw) -> faults.Fault:
    return faults.LosesShard(d.rng.randint(1, d.rng.choice((4, 30))))


def _jump(d: Draw) -> faults.Fault:
    return faults.ClockJump(d.at(), d.rng.choice((-3600.0, -5.0, -0.5, 0.5, 5.0, 60.0, 3600.0)))


def _point(d: Draw) -> tuple[str, int]:
    point = d.rng.choice(POINTS)
    farthest = 400 if point.endswith(("send", "message")) else 30
    return point, d.rng.randint(1, farthest)


def _pause(d: Draw) -> faults.Fault:
    """Often longer than the session timeout, so that the worker continues as a zombie."""
    seconds = round(d.rng.choice((0.1, 5.0, 15.0, 40.0)) * d.rng.uniform(0.5, 1.5), 3)
    return faults.Pause(*_point(d), seconds, whole=d.rng.random() < 0.7)


def _rebalance(d: Draw) -> faults.Fault:
    return faults.Rebalance(*_point(d), d.rng.choice((0.0, 1.0, 10.0)), lost=d.rng.random() < 0.5)


def _acks(d: Draw) -> faults.Fault:
    return faults.AckFails(d.rng.randint(1, 300), d.rng.randint(1, 4), written=d.rng.random() < 0.5)


def _late_acks(d: Draw) -> faults.Fault:
    """Often later than shards are released, so that their batch is rolled back while it is open."""
    seconds = round(d.rng.choice((0.1, 5.0, 15.0, 40.0)) * d.rng.uniform(0.5, 1.5), 3)
    return faults.LateAcks(d.rng.randint(1, 300), d.rng.randint(1, 40), seconds)


def _too_large(d: Draw) -> faults.Fault:
    return faults.RefusedAsTooLarge(d.rng.choice(d.words.waited_for), d.order())


def _broker(d: Draw) -> faults.Fault:
    return faults.BrokerAway(d.rng.randint(1, 400), round(d.rng.choice((0.5, 20.0, 150.0)), 3))


def _joins(d: Draw) -> faults.Fault:
    return faults.WorkerStarts(d.at())


def _leaves(d: Draw) -> faults.Fault:
    down = round(d.rng.uniform(0, 60), 3) if d.rng.random() < 0.7 else faults.FOREVER
    worker = d.rng.randrange(d.workers)
    return faults.WorkerStops(d.at(), worker, killed=d.rng.random() < 0.5, down=down)


def _skew(d: Draw) -> faults.Fault:
    seconds = d.rng.choice((-3600.0, -5.0, -0.5, 0.5, 5.0, 3600.0))
    return faults.ClockSkew(
        0.0, d.rng.randrange(d.workers), seconds, d.rng.choice((0.0, -0.01, 0.01))
    )


def _outage(d: Draw) -> faults.Fault:
    since, until = d.span()
    kind = d.rng.choice(
        (faults.Silent, faults.LosesReplies, faults.Slow, faults.AnswersTwice, faults.Declines)
    )
    services = d.words.services
    if kind is faults.Declines:
        kind, services = (kind, d.words.declining) if d.words.declining else (faults.Slow, services)
    return kind(d.rng.choice(services), "", since, until)


_WEIGHED: Sequence[tuple[int, Callable[[Draw], faults.Fault]]] = (
    (4, _drop), (4, _duplicate), (4, _delay), (2, _overtaken), (3, _reorder), (1, _corrupt),
    (2, _silent), (1, _declines), (1, _loses), (2, _slow), (2, _twice), (2, _raises), (4, _call),
    (2, _operator), (1, _junk),
)  # fmt: skip
_OF_ORDERS = [make for _, make in _WEIGHED]
_OF_WORKER = (_crash, _crash, _crash, _commit, _read, _shard, _jump, _outage, _pause)
_OF_KAFKA = (
    _pause, _pause, _rebalance, _rebalance, _acks, _too_large, _broker, _joins, _leaves, _skew,
)  # fmt: skip
