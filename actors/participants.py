"""The participants of the order business, and all topics."""

from operator import attrgetter

from order_sagas.actors.sagas.definition import Participant

ORDERS = Participant("orders", topic="order-events")
PAYMENTS = Participant("payments", topic="payment-events")
STOCK = Participant("stock", topic="stock-events", keyed_by=attrgetter("warehouse"))
NOTIFICATIONS = Participant("notifications", topic="notification-events")

DEAD_LETTERS = "dead-letters"
"""The topic of records that could not be handled."""
TOPICS = ("order-events", "payment-events", "stock-events", "notification-events", DEAD_LETTERS)
"""Every topic of the system; all have the same number of partitions."""
