"""The harness: runs a whole system on virtual time with injected faults, from a seed.

with Harness(seed=7) as system:
    order = system.place(an_order(lines={"SKU-1": 2}))
    system.payment.goes_silent()
    system.advance(minutes(5))
    system.expect(order).to_be(CANCELLED).having_sent("ROLLBACK_PAYMENT", "ROLLBACK_ORDER")
    system.expect_no_violations()
"""

from order_sagas.actors.sagas.definition import hours, minutes, seconds
from order_sagas.actors.sagas.state import Status
from order_sagas.system.harness.crashes import Crashed
from order_sagas.system.harness.expectation import Expectation, UnmetExpectation, Violated
from order_sagas.system.harness.faults import (
    AckFails,
    AnswersTwice,
    BrokerAway,
    CallFails,
    ClockJump,
    ClockSkew,
    CommitFails,
    Corrupt,
    Crash,
    Declines,
    Delay,
    Drop,
    Duplicate,
    Fault,
    LateAcks,
    LosesReplies,
    LosesShard,
    Operator,
    Pause,
    Put,
    Raises,
    ReadFails,
    Rebalance,
    RefusedAsTooLarge,
    Reorder,
    Silent,
    Slow,
    WorkerStarts,
    WorkerStops,
)
from order_sagas.system.harness.harness import Harness
from order_sagas.system.harness.orders import an_order

RUNNING = Status.RUNNING
COMPENSATING = Status.COMPENSATING
NEEDS_ATTENTION = Status.NEEDS_ATTENTION
COMPLETED = Status.COMPLETED
CANCELLED = Status.CANCELLED

__all__ = [
    "CANCELLED",
    "COMPENSATING",
    "COMPLETED",
    "NEEDS_ATTENTION",
    "RUNNING",
    "AckFails",
    "AnswersTwice",
    "BrokerAway",
    "CallFails",
    "ClockJump",
    "ClockSkew",
    "CommitFails",
    "Corrupt",
    "Crash",
    "Crashed",
    "Declines",
    "Delay",
    "Drop",
    "Duplicate",
    "Expectation",
    "Fault",
    "Harness",
    "LateAcks",
    "LosesReplies",
    "LosesShard",
    "Operator",
    "Pause",
    "Put",
    "Raises",
    "ReadFails",
    "Rebalance",
    "RefusedAsTooLarge",
    "Reorder",
    "Silent",
    "Slow",
    "Status",
    "UnmetExpectation",
    "Violated",
    "WorkerStarts",
    "WorkerStops",
    "an_order",
    "hours",
    "minutes",
    "seconds",
]
