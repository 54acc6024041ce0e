"""A crash does not change the result: every point is tried, one at a time."""

from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from order_sagas.actors.entities import Notification, Order, Payment, Reservation, StockLevel
from order_sagas.system.harness import (
    Crash,
    Declines,
    Drop,
    Fault,
    Harness,
    Silent,
    an_order,
    minutes,
)

POINTS = (
    "before commit", "after commit", "after publish",
    "after send", "before message", "before wakeup",
)  # fmt: skip
""""before a send" equals "after the send before it", or "before the message" that sends."""
AWAY = 20.0
"""Seconds for which the worker is down after every other crash, so that deadlines pass."""


@attrs.frozen
class Scenario:
    """The faults besides the crash, and how the system is built."""

    name: str
    faults: tuple[Fault, ...] = ()
    made: dict[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        return self.name


SCENARIOS = [
    Scenario("a completed order"),
    Scenario("a declined payment", (Declines("payments"),)),
    Scenario("out of stock", made={"stock": {"SKU-1": 1}}),
    Scenario("a provider that never answers", (Silent("payments"),)),
    Scenario("a refund that is lost once", (Declines("stock"), Drop("ROLLBACK_PAYMENT"))),
    Scenario("calls to the outside", (Declines("stock"),), {"local": False}),
]
LOGS = ("embedded", "topics")


def run(scenario: Scenario, log: Any, *crashes: Fault) -> tuple[Harness, list[Any]]:
    """Run the scenario to its end; return the harness, and its state without times."""
    faults = (*scenario.faults, *crashes)
    made = {"stock": {"SKU-1": 3}, **scenario.made}
    with Harness(3, log=log, order="fifo", faults=faults, **made) as system:
        system.place(an_order(lines={"SKU-1": 2}))
        system.advance(minutes(10))
        system.expect_no_violations()
        return system, state(system)


def state(system: Harness) -> list[Any]:
    """The state that matters to the business."""
    saga = [(s.saga, s.status) for s in system.books.sagas()]
    order = [(e.order_id, e.status) for e in system.books.all_of(Order)]
    paid = [(e.status, e.charges, e.refunds, e.amount) for e in system.books.all_of(Payment)]
    held = [(e.status, e.lines) for e in system.books.all_of(Reservation)]
    told = [(e.about, e.status, e.sends) for e in system.books.all_of(Notification)]
    stock = [replace(e) for e in system.books.all_of(StockLevel)]
    kept = [system.provider.kept(order_id) for order_id, _ in order]
    return [saga, order, paid, held, told, stock, kept]


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_crash_at_any_point_leaves_the_same_business_state(scenario: Scenario, log: str):
    """Crash around every send, commit and publish, and before every message and wakeup."""
    never = Crash("after send", 10**9)  # records every point, and crashes at none
    calm, expected = run(scenario, log, never)
    tried = 0
    for point in POINTS:
        for nth in range(1, calm.stage.points.reached[point] + 1):
            down = AWAY if nth % 2 else 0.0
            system, found = run(scenario, log, Crash(point, nth, down))

            assert 1 == system.stage.points.crashed, f"no crash {point}, number {nth}"
            assert expected == found, f"after a crash {point}, number {nth}"
            tried += 1

    assert tried > 50
