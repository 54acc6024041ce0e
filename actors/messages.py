"""The messages of the order business: commands are imperatives, events are in the past tense.

Each class stands for one `status` of the wire format: `ProcessPayment` is `PROCESS_PAYMENT`. Fields
are snake_case in Python and camelCase in JSON. Only `order_id` is required, because services
written elsewhere send only `{"orderId", "status"}`.

The classes are msgspec structs, so that they are decoded, validated and encoded without a second
description of each message.
"""

import re
from typing import Annotated

import msgspec

from order_sagas.actors.frozen_struct import FrozenStruct
from order_sagas.actors.money import money

SCHEMA_VERSION = 1
"""The value of `schemaVersion` in the records that this system writes."""

LARGEST = 2**63 - 1
"""The largest number that the databases can store. A message with a larger one is rejected."""

Number = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""A number that the databases can store: 64 bits with sign."""
Quantity = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]
"""A number of pieces."""

LONGEST_ID = 200
"""Maximum length of an order id, a SKU or a warehouse, in characters: they are keys of indexes."""

Name = Annotated[str, msgspec.Meta(max_length=LONGEST_ID)]
"""An order id, a SKU or a warehouse. A message with a longer one is rejected."""
Cause = Annotated[str, msgspec.Meta(max_length=5 * LONGEST_ID)]
"""The id of a message or a saga, which is made of order id, saga, step and more."""

MAIN = "main"
"""The warehouse of an order or of stock that does not name one."""


def status_of(name: str) -> str:
    """The `status` of a class name: `StockReserved` gives `STOCK_RESERVED`.

    Of the qualified name of a class inside another one, the last part counts.
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.rpartition(".")[2]).upper()


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A quantity of one SKU. `unit_price` is in minor units of the order's currency."""

    sku: Name
    quantity: Quantity
    unit_price: Number = 0


class Message(
    FrozenStruct,
    rename="camel",
    tag_field="status",
    tag=status_of,
    omit_defaults=True,
    gc=False,
):
    """Base class of all messages. `order_id` is the business key; all other fields are optional.

    `event_id` is deterministic: the same decision always gets the same id. `occurred_at` is ISO
    8601 in UTC. `traceparent` is the trace that the message belongs to, and `tracestate` what
    tracing systems have added to it (W3C Trace Context).
    """

    order_id: Name
    event_id: Cause = ""
    saga_id: Cause = ""
    step: Name = ""
    attempt: Number = 0
    causation_id: Cause = ""
    occurred_at: str = ""
    schema_version: Number = 0
    traceparent: str = ""
    tracestate: str = ""


class Internal(Message):
    """A message from a service to itself, delivered by the batch processor; never in a topic."""


EXCEPTION, NO_ANSWER, DECLINED = "exception", "no_answer", "declined"
CALLBACK = "callback"
"""Why an external call failed. EXCEPTION: it raised. NO_ANSWER: it ended without a result.
DECLINED: it was refused, and so not done. CALLBACK: no message could be made of its result."""


class CallOutcome(Internal):
    """The outcome of an external call. `failure` is empty if the call succeeded.

    After EXCEPTION, NO_ANSWER or CALLBACK it is unknown whether the call took effect. `error` is
    one line of text.
    """

    failure: str = ""
    error: str = ""


class Failed(Message):
    """A failure reply: `code` for programs, `reason` for people."""

    code: str = ""
    reason: str = ""


# --- orders -----------------------------------------------------------------------------------


class OrderCreated(Message):
    """An order was placed. Starts the saga. An order with an amount of 0 is valid.

    Raises ValueError if the amount is too large to be stored.
    """

    customer_id: str = ""
    currency: str = ""
    lines: tuple[OrderLine, ...] = ()
    warehouse: Name = MAIN

    def __post_init__(self) -> None:
        if self.lines and not -LARGEST <= self.amount <= LARGEST:
            worth = money(self.amount, self.currency)
            raise ValueError(f"the order is worth {worth}, more than can be stored")

    @property
    def amount(self) -> int:
        """The value of the order, in minor units of its currency."""
        amount = 0
        for line in self.lines:  # `sum` costs more, since most orders have few lines
            amount += line.quantity * line.unit_price
        return amount


class OrderCompleted(Message):
    """The saga completed."""

    customer_id: str = ""


class RollbackOrder(Message):
    """Undo the creation of the order."""


class OrderRolledBack(Message):
    """The creation of the order was undone."""


class OrderCancelled(Failed):
    """The saga was compensated; says why."""

    customer_id: str = ""


# --- payments ---------------------------------------------------------------------------------


class ProcessPayment(Message):
    """Charge the customer `amount` minor units of `currency`."""

    amount: Number = 0
    currency: str = ""
    customer_id: str = ""


class PaymentCompleted(Message):
    """The customer was charged."""

    amount: Number = 0
    currency: str = ""
    charge_id: str = ""


class PaymentFailed(Failed):
    """The customer was not charged."""


class RollbackPayment(Message):
    """Refund the charge. If it has not been made yet, make sure that it never is."""


class PaymentRolledBack(Message):
    """The charge was refunded, or will never be made. `amount` is what was refunded."""

    amount: Number = 0
    currency: str = ""


# --- stock ------------------------------------------------------------------------------------


class ReserveStock(Message):
    """Reserve every line of the order in one warehouse, or none."""

    lines: tuple[OrderLine, ...] = ()
    warehouse: Name = MAIN


class StockReserved(Message):
    """Every line is reserved. `lines` may say what was reserved; empty: what was asked for."""

    lines: tuple[OrderLine, ...] = ()


class StockReservationFailed(Failed):
    """No line is reserved."""


class RollbackStock(Message):
    """Release the reservation. If it has not been made yet, make sure that it never is."""

    warehouse: Name = MAIN


class StockRolledBack(Message):
    """The reservation was released, or will never be made."""


class LoadStock(Message):
    """Goods arrived at a warehouse.

    `order_id` is the id of the delivery. The same delivery is counted once.
    """

    lines: tuple[OrderLine, ...] = ()
    warehouse: Name = MAIN


# --- operators --------------------------------------------------------------------------------


class OperatorCommand(Message):
    """An operator's command to a saga in flight. `by` and `why` are kept in the saga's history."""

    by: str = ""
    why: str = ""
    saga: str = ""
    """Name of the saga definition; empty if the order has only one saga."""


class RetryStep(OperatorCommand):
    """Send the stuck command or compensation of `step` again, with a new set of attempts."""


class SkipStep(OperatorCommand):
    """Treat the stuck command or compensation of `step` as done. Requires `why`."""


class ResumeSaga(OperatorCommand):
    """Retry every stuck step of the saga."""


class CancelSaga(OperatorCommand):
    """Compensate a saga that has not passed its pivot."""


class RepairDeadlines(OperatorCommand):
    """Begin the waits anew whose deadlines lie farther ahead than the saga ever sets them."""


OPERATOR_COMMANDS: tuple[type[OperatorCommand], ...] = (
    RetryStep, SkipStep, ResumeSaga, CancelSaga, RepairDeadlines,
)  # fmt: skip


BUSINESS: tuple[type[Message], ...] = (
    OrderCreated,
    OrderCompleted,
    RollbackOrder,
    OrderRolledBack,
    OrderCancelled,
    ProcessPayment,
    PaymentCompleted,
    PaymentFailed,
    RollbackPayment,
    PaymentRolledBack,
    ReserveStock,
    StockReserved,
    StockReservationFailed,
    RollbackStock,
    StockRolledBack,
    LoadStock,
)
"""Every message of the order business, without the operators' commands."""


def status(message: Message | type[Message]) -> str:
    """The `status` of a message in the wire format."""
    return message.__struct_config__.tag  # type: ignore[return-value]
