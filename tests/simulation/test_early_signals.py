"""Signals that arrive before the start of their saga, or before it waits for them.

Each is handled in the end, under every fault, and an error that drops an early reply is found.
"""

import random
from typing import Any

import pytest

from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga, Wait
from order_sagas.actors.sagas.durations import days, hours
from order_sagas.actors.sagas.state import Status
from order_sagas.actors.topics import SIGNALS
from order_sagas.bridges.processor.early_replies import EarlyReplies
from order_sagas.system.harness import Crash, Delay, Fault, Harness
from order_sagas.system.harness.faults import CommitFails, LosesShard
from tests.support.embedded import an_order


class OrderApproved(Message):
    """A person has approved the order."""


CREATE, *OTHERS = PLACE_ORDER.rows
APPROVED_ORDER: Saga[OrderCreated] = Saga(
    "place-order", 1, OrderCreated,
    [CREATE, Wait("approve", for_=OrderApproved, within=days(1)), *OTHERS], PLACE_ORDER.cancelled,
)  # fmt: skip
ORDERS = [f"o-{number}" for number in range(6)]
POINTS = ("before commit", "after commit", "before message", "after send")


def a_plan(rng: random.Random) -> list[Fault]:
    """Late starts, so that signals arrive before them, and faults of the worker."""
    late = rng.sample(ORDERS, 3)
    plan: list[Fault] = [
        Delay("ORDER_CREATED", order, seconds=round(rng.uniform(1, 60), 3)) for order in late
    ]
    plan += [Crash(rng.choice(POINTS), rng.randint(1, 40)) for _ in range(rng.randint(0, 3))]
    plan += [LosesShard(rng.randint(1, 12)) for _ in range(rng.randint(0, 2))]
    plan += [
        CommitFails(rng.randint(1, 12), 1, rng.choice(("before", "during", "after")))
        for _ in range(rng.randint(0, 2))
    ]
    return plan


def ends(seed: int, **arguments: Any) -> list[Status]:
    """The final status of sagas whose signals come before, with and after their starts."""
    rng = random.Random(seed)
    plan = a_plan(rng)
    with Harness(sagas=[APPROVED_ORDER], seed=seed, faults=plan, **arguments) as system:
        system.load_stock({"PEN": 1000})
        for order in rng.sample(ORDERS, len(ORDERS)):
            early = rng.random() < 0.5
            if early:
                system.publish(SIGNALS, OrderApproved(order_id=order))
            system.publish("order-events", an_order(order))
            if not early:
                system.publish(SIGNALS, OrderApproved(order_id=order))
            system.advance(rng.choice((0.0, 0.5, 5.0)))
        system.advance(hours(30))
        system.expect_no_violations()
        return [Status(saga.status) for saga in system.books.sagas()]


@pytest.mark.parametrize(
    "arguments", [{}, {"log": "topics", "workers": 2}], ids=["embedded", "kafka"]
)
def test_every_early_signal_is_handled(arguments: Any) -> None:
    for seed in range(8):
        assert [Status.COMPLETED] * len(ORDERS) == ends(seed, **arguments), f"seed {seed}"


def test_a_dropped_signal_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EarlyReplies, "keep", lambda self, batch, item, reason: None)

    assert any(Status.CANCELLED in ends(seed) for seed in range(3))


def test_a_signal_kept_only_in_memory_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is lost at a restart."""
    right = EarlyReplies.keep

    def keep(self: EarlyReplies, batch: Any, item: Any, reason: str) -> None:
        right(self, batch, item, reason)
        batch.early.clear()

    monkeypatch.setattr(EarlyReplies, "keep", keep)

    assert any(Status.CANCELLED in ends(seed) for seed in range(15))
