"""The order service: stores orders and their status."""

from typing import ClassVar

from msgspec.structs import replace

from order_sagas.actors.entities import Entity, Order
from order_sagas.actors.errors import OrderConflictError
from order_sagas.actors.messages import (
    Message,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderRolledBack,
    RollbackOrder,
)
from order_sagas.actors.participants import ORDERS
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.services.service import NOTHING, Answer, Handler, Service


def _same(order: Order, event: OrderCreated) -> bool:
    return (order.customer_id, order.currency, order.warehouse, order.lines) == (
        event.customer_id,
        event.currency,
        event.warehouse,
        event.lines,
    )


class OrderService(Service):
    """Stores the orders.

    Idempotent by order id. A completed or cancelled order keeps its status.
    """

    participant: ClassVar[Participant] = ORDERS
    entity: ClassVar[type[Entity]] = Order

    def created(self, order: Order | None, event: OrderCreated, now: float) -> Answer:
        """Store a new order.

        Raises OrderConflictError if the id belongs to an order with different content.
        """
        if order:
            if event.lines and not _same(order, event):
                raise OrderConflictError(event.order_id)
            return NOTHING
        return Answer(
            (
                Order(
                    order_id=event.order_id,
                    status=Order.CREATED,
                    customer_id=event.customer_id,
                    currency=event.currency,
                    amount=event.amount,
                    warehouse=event.warehouse,
                    lines=event.lines,
                    created_at=now,
                    updated_at=now,
                ),
            )
        )

    def completed(self, order: Order | None, event: OrderCompleted, now: float) -> Answer:
        """Mark the order completed."""
        return self._end(order, event, Order.COMPLETED, now)

    def roll_back(self, order: Order | None, command: RollbackOrder, now: float) -> Answer:
        """Mark the order rolled back, and reply.

        A completed order is not changed, and gets no reply.
        """
        done = (OrderRolledBack(order_id=command.order_id),)
        if order and order.status in (Order.ROLLED_BACK, Order.CANCELLED):
            return Answer(replies=done)
        if order and order.status == Order.COMPLETED:
            return NOTHING  # past the pivot; the saga does not send this
        return Answer((self._with(order, command, Order.ROLLED_BACK, now),), done)

    def cancelled(self, order: Order | None, event: OrderCancelled, now: float) -> Answer:
        """Mark the order cancelled, with the reason."""
        return self._end(order, event, Order.CANCELLED, now, event.code, event.reason)

    def _end(
        self, order: Order | None, event: Message, to: str, now: float, code: str = "",
        reason: str = "",
    ) -> Answer:  # fmt: skip
        if order and order.status in (Order.COMPLETED, Order.CANCELLED):
            return NOTHING
        return Answer((self._with(order, event, to, now, code, reason),))

    @staticmethod
    def _with(
        order: Order | None, message: Message, to: str, now: float, code: str = "",
        reason: str = "",
    ) -> Order:  # fmt: skip
        order = order or Order(order_id=message.order_id, status=to, created_at=now)
        return replace(order, status=to, code=code, reason=reason, updated_at=now)

    handlers: ClassVar[dict[type[Message], Handler]] = {
        OrderCreated: created,
        OrderCompleted: completed,
        RollbackOrder: roll_back,
        OrderCancelled: cancelled,
    }
