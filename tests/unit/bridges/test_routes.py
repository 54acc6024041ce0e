"""Who a message is for follows from the definitions and the services."""

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


def test_an_event_may_be_for_several() -> None:
    assert {"orders", "orchestrator"} == receivers("order-events", OrderCreated)


def test_a_command_is_for_its_service_and_an_answer_for_the_saga() -> None:
    assert {"payments"} == receivers("payment-events", ProcessPayment)
    assert {"orchestrator"} == receivers("payment-events", PaymentCompleted)


def test_a_message_on_a_topic_where_it_does_not_belong_is_for_nobody() -> None:
    assert set() == receivers("stock-events", ProcessPayment)
    assert {"notifications"} == receivers("notification-events", OrderCompleted)
    assert {"orders"} == receivers("order-events", OrderCompleted)


def test_operators_commands_are_taken_from_one_topic() -> None:
    """So that a service that may write its own topic is no operator."""
    taken = {topic for topic in ROUTES.topics if ROUTES.of(topic, RetryStep)}

    assert {"operator-commands"} == taken
    assert {"orchestrator"} == receivers("operator-commands", RetryStep)


def test_what_a_service_tells_itself_comes_from_no_topic() -> None:
    (route,) = ROUTES.inside(NotificationSent)

    assert "notifications" == route.receiver
    assert () == ROUTES.of("notification-events", NotificationSent)
    assert NotificationSent not in wire_messages(Registry([PLACE_ORDER]), SERVICES)


def test_a_receiver_is_shown_its_own_entity() -> None:
    shown = {route.receiver: route.entity for route in ROUTES.of("order-events", OrderCreated)}

    assert {"orders": Order, "orchestrator": None} == shown
    assert [Payment] == [route.entity for route in ROUTES.of("payment-events", ProcessPayment)]


def test_stock_is_keyed_by_warehouse() -> None:
    (route,) = ROUTES.of("stock-events", LoadStock)

    assert "north" == route.keyed_by(LoadStock(order_id="delivery", warehouse="north"))


def test_dead_letters_come_last_of_the_topics() -> None:
    assert (
        "notification-events",
        "operator-commands",
        "order-events",
        "payment-events",
        "saga-signals",
        "stock-events",
        "dead-letters",
    ) == ROUTES.topics
