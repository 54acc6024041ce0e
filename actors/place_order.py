"""The saga that places an order, one row for each step."""

from collections import Counter
from collections.abc import Iterable

from order_sagas.actors.messages import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderLine,
    OrderRolledBack,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    ProcessPayment,
    ReserveStock,
    RollbackOrder,
    RollbackPayment,
    RollbackStock,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from order_sagas.actors.money import money
from order_sagas.actors.participants import NOTIFICATIONS, ORDERS, PAYMENTS, STOCK
from order_sagas.actors.sagas.definition import Failure, Notice, Saga, Step, seconds


def charge(order: OrderCreated) -> ProcessPayment:
    """The command to charge the amount of the order."""
    return ProcessPayment(
        order_id=order.order_id,
        amount=order.amount,
        currency=order.currency,
        customer_id=order.customer_id,
    )


def charged_otherwise(order: OrderCreated, reply: PaymentCompleted) -> str:
    """How a charge differs from the amount of the order. A reply without an amount is trusted."""
    if not reply.amount and not reply.currency:
        return ""
    currency = (reply.currency or order.currency).upper()
    if reply.amount == order.amount and currency == order.currency.upper():
        return ""
    asked, charged = money(order.amount, order.currency), money(reply.amount, currency)
    return f"{charged} was charged, and {asked} was asked for"


def refund(order: OrderCreated) -> RollbackPayment:
    """The compensation of `charge`."""
    return RollbackPayment(order_id=order.order_id)


def reserve(order: OrderCreated) -> ReserveStock:
    """The command to reserve all lines of the order."""
    return ReserveStock(order_id=order.order_id, lines=order.lines, warehouse=order.warehouse)


def reserved_otherwise(order: OrderCreated, reply: StockReserved) -> str:
    """How reserved goods differ from those of the order. A reply without lines is trusted."""
    if not reply.lines or (asked := _goods(order.lines)) == (held := _goods(reply.lines)):
        return ""
    different = sorted(sku for sku in asked | held if asked[sku] != held[sku])
    said = [f"{held[sku]} of {sku} instead of {asked[sku]}" for sku in different[:3]]
    more = f", and {len(different) - 3} more" if len(different) > 3 else ""
    return f"other goods were reserved than asked for: {', '.join(said)}{more}"


def _goods(lines: Iterable[OrderLine]) -> Counter[str]:
    """The quantity of each SKU."""
    goods: Counter[str] = Counter()
    for line in lines:
        goods[line.sku] += line.quantity
    return goods


def release(order: OrderCreated) -> RollbackStock:
    """The compensation of `reserve`."""
    return RollbackStock(order_id=order.order_id, warehouse=order.warehouse)


def roll_back(order: OrderCreated) -> RollbackOrder:
    """The compensation of the order's creation."""
    return RollbackOrder(order_id=order.order_id)


def complete(order: OrderCreated) -> OrderCompleted:
    """The event that the order is completed, for the order and the notification service."""
    return OrderCompleted(order_id=order.order_id, customer_id=order.customer_id)


def cancel(order: OrderCreated, failure: Failure) -> OrderCancelled:
    """The event that the order is cancelled, with the reason of the failure."""
    return OrderCancelled(
        order_id=order.order_id,
        customer_id=order.customer_id,
        code=failure.code,
        reason=failure.reason,
    )


# fmt: off
PLACE_ORDER = Saga(
    name="place-order",
    version=1,
    starts_on=OrderCreated,
    steps=[
        Step("create order", to=ORDERS,  # done by the message that starts the saga
             undo=roll_back, undone=OrderRolledBack, undo_within=seconds(10)),
        Step("process payment", to=PAYMENTS,
             do=charge, done=PaymentCompleted, failed=PaymentFailed, within=seconds(30),
             check=charged_otherwise,
             undo=refund, undone=PaymentRolledBack, undo_within=seconds(30)),
        Step("reserve stock", to=STOCK,
             do=reserve, done=StockReserved, failed=StockReservationFailed, within=seconds(10),
             check=reserved_otherwise,
             undo=release, undone=StockRolledBack, undo_within=seconds(10)),
        Step("complete order", to=ORDERS, do=complete, pivot=True),  # waits for no reply
        Step("notify customer", to=NOTIFICATIONS, do=complete),
    ],
    cancelled=[
        Notice(to=ORDERS, send=cancel),
        Notice(to=NOTIFICATIONS, send=cancel),
    ],
)
"""The definition of the saga `place-order`."""
# fmt: on
