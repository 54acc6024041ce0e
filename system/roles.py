"""Roles: which process runs which services, and the consumer groups that result."""

from collections.abc import Iterable

from order_sagas.actors.participants import (
    DEAD_LETTERS,
    NOTIFICATIONS,
    ORDERS,
    PAYMENTS,
    STOCK,
    TOPICS,
)
from order_sagas.actors.services.service import Service
from order_sagas.bridges.records.routing import ORCHESTRATOR
from order_sagas.bridges.storage.consumers import consumer_of_set
from order_sagas.bridges.storage.log_queues import CONSUMER
from order_sagas.system.settings import Settings
from order_sagas.system.settings.model import ROLES

ROLE_OF = {"orders": "orders", "payments": "payment", "stock": "stock",
           "notifications": "notification"}  # fmt: skip
"""Participant to the role that runs its service. `orchestrator` runs all other services."""


TOPICS_OF_ROLES = {
    ORCHESTRATOR: tuple(topic for topic in TOPICS if topic != DEAD_LETTERS),
    **{ROLE_OF[p.name]: (p.topic,) for p in (ORDERS, PAYMENTS, STOCK, NOTIFICATIONS)},
}
"""Role to the topics that it consumes."""


def roles_of(services: Iterable[type[Service]]) -> dict[str, str]:
    """Map each receiver to its role: services by their participant's name, and the orchestrator.

    Services that are not in ROLE_OF are run by the orchestrator.
    """
    names = [service.participant.name for service in services]
    return {ORCHESTRATOR: ORCHESTRATOR, **{n: ROLE_OF.get(n, ORCHESTRATOR) for n in names}}


def consumer_of(settings: Settings) -> str:
    """Return the name under which the database stores a worker's offsets: one per set of roles.

    The embedded log has one consumer for any set of roles, as it stores the progress of each role.
    """
    return group_of(settings) if settings.kafka else CONSUMER


def group_of(settings: Settings) -> str:
    """Return the Kafka consumer group of this worker's roles. Other roles get all records too."""
    return consumer_of_set(settings.kafka_group, settings.roles, ROLES)
