"""An order is stored once, and ends once."""

from typing import ClassVar

import pytest
from msgspec.structs import replace

from order_sagas.actors.entities import Order
from order_sagas.actors.errors import OrderConflictError
from order_sagas.actors.messages import (
    Message,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderLine,
    OrderRolledBack,
    RollbackOrder,
)
from order_sagas.actors.services.orders import OrderService
from order_sagas.actors.services.service import Answer

CREATED = OrderCreated(
    order_id="o",
    customer_id="c",
    currency="EUR",
    lines=(OrderLine(sku="PEN", quantity=2, unit_price=150),),
)
COMPLETED = OrderCompleted(order_id="o")
ROLL_BACK = RollbackOrder(order_id="o")
CANCELLED = OrderCancelled(order_id="o", code="NO_STOCK", reason="no pens left")


class Books:
    """The service, and the order it has written."""

    service: ClassVar[OrderService] = OrderService()

    def __init__(self, *messages: Message) -> None:
        self.order: Order | None = None
        for message in messages:
            self.deliver(message)

    def deliver(self, message: Message) -> Answer:
        """Return the service's answer; its entities are stored."""
        handler = self.service.handlers[type(message)]
        answer = handler(self.service, self.order, message, 1000.0)
        for write in answer.writes:
            assert isinstance(write, Order)
            self.order = write
        return answer

    @property
    def status(self) -> str | None:
        """The order's, if there is one."""
        return self.order.status if self.order else None


def test_an_order_is_stored_with_its_amount() -> None:
    books = Books(CREATED)

    assert books.order
    assert (Order.CREATED, 300, "c") == (books.status, books.order.amount, books.order.customer_id)


def test_a_repeated_order_changes_nothing() -> None:
    """Nor does one with only an id, as other services send it."""
    books = Books(CREATED)

    assert () == books.deliver(CREATED).writes
    assert () == books.deliver(OrderCreated(order_id="o")).writes


def test_an_order_with_other_content_is_refused() -> None:
    books = Books(CREATED)

    with pytest.raises(OrderConflictError):
        books.deliver(replace(CREATED, currency="USD"))
    assert books.order
    assert "EUR" == books.order.currency


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ((CREATED, COMPLETED), Order.COMPLETED),
        ((CREATED, ROLL_BACK), Order.ROLLED_BACK),
        ((CREATED, ROLL_BACK, CANCELLED), Order.CANCELLED),
        ((CREATED, CANCELLED), Order.CANCELLED),
        ((CREATED, COMPLETED, CANCELLED), Order.COMPLETED),
        ((CREATED, CANCELLED, COMPLETED), Order.CANCELLED),
        ((CREATED, COMPLETED, ROLL_BACK), Order.COMPLETED),
    ],
)
def test_an_order_ends_once_in_any_order_of_messages(
    messages: tuple[Message, ...], status: str
) -> None:
    assert status == Books(*messages).status


@pytest.mark.parametrize("end", [ROLL_BACK, COMPLETED, CANCELLED])
def test_an_order_that_ended_before_its_creation_is_refused(end: Message) -> None:
    """Otherwise its saga would begin, and charge the customer."""
    with pytest.raises(OrderConflictError):
        Books(end, CREATED)


def test_the_reason_of_a_cancellation_is_stored() -> None:
    books = Books(CREATED, CANCELLED)

    assert books.order
    assert ("NO_STOCK", "no pens left") == (books.order.code, books.order.reason)


def test_each_request_to_roll_back_is_answered_and_the_first_counts() -> None:
    books = Books(CREATED)
    first, again = books.deliver(ROLL_BACK), books.deliver(ROLL_BACK)

    assert [OrderRolledBack(order_id="o")] == list(first.replies) == list(again.replies)
    assert () == again.writes


def test_a_completed_order_is_not_rolled_back() -> None:
    assert () == Books(CREATED, COMPLETED).deliver(ROLL_BACK).replies
