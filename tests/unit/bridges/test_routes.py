"""The receivers of a message follow from the definitions and the services."""

from order_sagas.actors.entities import Order, Payment
from order_sagas.actors.messages import (
    LoadStock,
    OrderCompleted,
    OrderCreated,
    PaymentCompleted,
    ProcessPayment,
    RetryStep,
)
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.notifications import NotificationSent, NotificationService
from order_sagas.actors.services.orders import OrderService
from order_sagas.actors.services.payments import PaymentService
from order_sagas.actors.services.stock import StockService
from order_sagas.bridges.records.routing import Routes, wire_messages

SERVICES = (OrderService, PaymentService, StockService, NotificationService)
ROUTES = Routes(Registry([PLACE_ORDER]), SERVICES)


def receivers(topic: str, message: type) -> set[str]:
    return {route.receiver for route in ROUTES.of(topic, message)}


def test_an_event_may_have_several_receivers() -> None:
    assert {"orders", "orchestrator"} == receivers("order-events", OrderCreated)


def test_a_command_is_for_its_service_and_a_reply_for_the_saga() -> None:
    assert {"payments"} == receivers("payment-events", ProcessPayment)
    assert {"orchestrator"} == receivers("payment-events", PaymentCompleted)


def test_a_message_on_a_wrong_topic_has_no_receiver() -> None:
    assert set() == receivers("stock-events", ProcessPayment)
    assert {"notifications"} == receivers("notification-events", OrderCompleted)
    assert {"orders"} == receivers("order-events", OrderCompleted)


def test_operators_commands_are_read_from_one_topic_only() -> None:
    """So that a service with the right to write its own topic cannot send them."""
    taken = {topic for topic in ROUTES.topics if ROUTES.of(topic, RetryStep)}

    assert {"operator-commands"} == taken
    assert {"orchestrator"} == receivers("operator-commands", RetryStep)


def test_internal_messages_of_a_service_are_in_no_topic() -> None:
    (route,) = ROUTES.inside(NotificationSent)

    assert "notifications" == route.receiver
    assert () == ROUTES.of("notification-events", NotificationSent)
    assert NotificationSent not in wire_messages(Registry([PLACE_ORDER]), SERVICES)


def test_a_receiver_gets_its_own_entity() -> None:
    shown = {route.receiver: route.entity for route in ROUTES.of("order-events", OrderCreated)}

    assert {"orders": Order, "orchestrator": None} == shown
    assert [Payment] == [route.entity for route in ROUTES.of("payment-events", ProcessPayment)]


def test_stock_is_keyed_by_warehouse() -> None:
    (route,) = ROUTES.of("stock-events", LoadStock)

    assert "north" == route.keyed_by(LoadStock(order_id="delivery", warehouse="north"))


def test_dead_letters_are_the_last_topic() -> None:
    assert (
        "notification-events",
        "operator-commands",
        "order-events",
        "payment-events",
        "saga-signals",
        "stock-events",
        "dead-letters",
    ) == ROUTES.topics
