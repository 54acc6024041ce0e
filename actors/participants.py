"""The participants of the order business."""

from operator import attrgetter

from order_sagas.actors.sagas.definition import Participant

ORDERS = Participant("orders", topic="order-events")
PAYMENTS = Participant("payments", topic="payment-events", role="payment")
STOCK = Participant("stock", topic="stock-events", keyed_by=attrgetter("warehouse"))
NOTIFICATIONS = Participant("notifications", topic="notification-events", role="notification")
