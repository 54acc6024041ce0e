"""The saga that places an order, one row for each step."""

from order_sagas.actors.messages import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
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


def refund(order: OrderCreated) -> RollbackPayment:
    """The compensation of `charge`."""
    return RollbackPayment(order_id=order.order_id)


def reserve(order: OrderCreated) -> ReserveStock:
    """The command to reserve all lines of the order."""
    return ReserveStock(order_id=order.order_id, lines=order.lines, warehouse=order.warehouse)


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
             undo=refund, undone=PaymentRolledBack, undo_within=seconds(30)),
        Step("reserve stock", to=STOCK,
             do=reserve, done=StockReserved, failed=StockReservationFailed, within=seconds(10),
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
