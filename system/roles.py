"""Who does which part of the work."""

from collections.abc import Iterable

from actors.participants import DEAD_LETTERS, NOTIFICATIONS, ORDERS, PAYMENTS, STOCK, TOPICS
from actors.services.service import Service
from bridges.routes import ORCHESTRATOR
from bridges.store.consumers import consumer_of_set
from bridges.store.queues import CONSUMER
from system.settings import Settings
from system.settings.model import ROLES

ROLE_OF = {"orders": "orders", "payments": "payment", "stock": "stock",
           "notifications": "notification"}  # fmt: skip
"""The role that runs each participant's service; `orchestrator` runs those of your own."""


TOPICS_OF_ROLES = {
    ORCHESTRATOR: tuple(topic for topic in TOPICS if topic != DEAD_LETTERS),
    **{ROLE_OF[p.name]: (p.topic,) for p in (ORDERS, PAYMENTS, STOCK, NOTIFICATIONS)},
}
"""The topics on which each role takes records."""


def roles_of(services: Iterable[type[Service]]) -> dict[str, str]:
    """The role that runs each receiver: each service by its participant's name, and the sagas.

    A service of your own is run by the role of the sagas.
    """
    names = [service.participant.name for service in services]
    return {ORCHESTRATOR: ORCHESTRATOR, **{n: ROLE_OF.get(n, ORCHESTRATOR) for n in names}}


def consumer_of(settings: Settings) -> str:
    """The consumer that a worker is to the database: the same for all that run the same roles.

    The embedded log has one, whatever roles are run: it keeps the progress of each role itself.
    """
    return group_of(settings) if settings.kafka else CONSUMER


def group_of(settings: Settings) -> str:
    """The consumer group of Kafka of this worker's roles: other roles need every record too."""
    return consumer_of_set(settings.kafka_group, settings.roles, ROLES)
