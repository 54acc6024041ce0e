"""The messages of the business: commands are imperative, events are past tense.

A class is one `status` of the wire contract: `ProcessPayment` is `PROCESS_PAYMENT`. Fields are
snake_case here and camelCase on the wire. Only `order_id` is required of a message, because
services written elsewhere send no more than `{"orderId", "status"}`.

The classes are msgspec structs: one library reads, checks and writes them, with no second
description of each message to keep true.
"""

import re
from typing import Annotated

import msgspec

from actors.money import money

SCHEMA_VERSION = 1
"""What `schemaVersion` says in the records this system writes."""

LARGEST = 2**63 - 1
"""The largest number that a database can store; a message that holds a larger one is refused."""

Number = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Quantity = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]

MAIN = "main"
"""The warehouse of an order, or of stock, that names none."""


def status_of(name: str) -> str:
    """The wire's status for a class name: `StockReserved` gives `STOCK_RESERVED`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """So many of one SKU; `unit_price` in minor units of the order's currency."""

    sku: str
    quantity: Quantity
    unit_price: Number = 0


class Message(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag_field="status",
    tag=status_of,
    omit_defaults=True,
    gc=False,
):
    """What every record carries. `order_id` is the business key; all else is optional.

    `event_id` is deterministic: the same decision always yields the same id.
    `occurred_at` is ISO 8601 in UTC. `traceparent` ties it to a trace (W3C Trace Context).
    """

    order_id: str
    event_id: str = ""
    saga_id: str = ""
    step: str = ""
    attempt: Number = 0
    causation_id: str = ""
    occurred_at: str = ""
    schema_version: Number = 0
    traceparent: str = ""


class Internal(Message):
    """What a service tells itself, by way of the bridge; no topic carries it."""


EXCEPTION, NO_ANSWER, DECLINED = "exception", "no_answer", "declined"
CALLBACK = "callback"
"""Kinds of failures of an external call: it raised; it ended without saying whether it was done;
it was refused, so that it was not done; or its result could not be made a message of."""


class CallOutcome(Internal):
    """What came of an external call. `failure` is empty if it did what was asked.

    After EXCEPTION, NO_ANSWER or CALLBACK it is unknown whether it was done; `error` is one line.
    """

    failure: str = ""
    error: str = ""


class Failed(Message):
    """A failure reply: `code` for programs, `reason` for people."""

    code: str = ""
    reason: str = ""


# --- orders -----------------------------------------------------------------------------------


class OrderCreated(Message):
    """An order came in. Starts the saga. An order worth nothing is a valid order."""

    customer_id: str = ""
    currency: str = ""
    lines: tuple[OrderLine, ...] = ()
    warehouse: str = MAIN

    def __post_init__(self) -> None:
        if self.lines and not -LARGEST <= self.amount <= LARGEST:
            worth = money(self.amount, self.currency)
            raise ValueError(f"the order is worth {worth}, more than can be stored")

    @property
    def amount(self) -> int:
        """What the order is worth, in minor units of its currency."""
        return sum([line.quantity * line.unit_price for line in self.lines])


class OrderCompleted(Message):
    """The saga ended well."""

    customer_id: str = ""


class RollbackOrder(Message):
    """Undo the order itself."""


class OrderRolledBack(Message):
    """The order is undone."""


class OrderCancelled(Failed):
    """The saga ended by compensation, with the reason."""

    customer_id: str = ""


# --- payments ---------------------------------------------------------------------------------


class ProcessPayment(Message):
    """Charge the customer `amount` minor units of `currency`."""

    amount: Number = 0
    currency: str = ""
    customer_id: str = ""


class PaymentCompleted(Message):
    """The customer is charged."""

    amount: Number = 0
    currency: str = ""
    charge_id: str = ""


class PaymentFailed(Failed):
    """The customer is not charged."""


class RollbackPayment(Message):
    """Refund what was charged; block the charge if it has not come yet."""


class PaymentRolledBack(Message):
    """Nothing is charged, any more or ever."""

    amount: Number = 0
    currency: str = ""


# --- stock ------------------------------------------------------------------------------------


class ReserveStock(Message):
    """Hold every line of the order in one warehouse, or none."""

    lines: tuple[OrderLine, ...] = ()
    warehouse: str = MAIN


class StockReserved(Message):
    """Every line is held."""


class StockReservationFailed(Failed):
    """Nothing is held."""


class RollbackStock(Message):
    """Release what is held; block the reservation if it has not come yet."""

    warehouse: str = MAIN


class StockRolledBack(Message):
    """Nothing is held, any more or ever."""


class LoadStock(Message):
    """Goods arrived at a warehouse. `order_id` names the delivery, so that it counts once."""

    lines: tuple[OrderLine, ...] = ()
    warehouse: str = MAIN


# --- operators --------------------------------------------------------------------------------


class OperatorCommand(Message):
    """What a person asks of a saga in flight; `by` and `why` are kept in its history."""

    by: str = ""
    why: str = ""
    saga: str = ""
    """Name of the saga's definition; empty for the only one of the order."""


class RetryStep(OperatorCommand):
    """Send the stuck command or compensation of `step` again, with a fresh set of attempts."""


class SkipStep(OperatorCommand):
    """Take the stuck command or compensation of `step` as done; needs a `why`."""


class ResumeSaga(OperatorCommand):
    """Retry every stuck step of the saga."""


class CancelSaga(OperatorCommand):
    """Undo a saga that has not passed its pivot."""


OPERATOR_COMMANDS: tuple[type[OperatorCommand], ...] = (RetryStep, SkipStep, ResumeSaga, CancelSaga)


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
"""Every message of the order business; operators' commands come beside them."""


def status(message: Message | type[Message]) -> str:
    """The `status` a message has on the wire."""
    return message.__struct_config__.tag  # type: ignore[return-value]
