"""Who does which part of the work."""

from collections.abc import Iterable

from actors.services.service import Service
from bridges.routes import ORCHESTRATOR
from bridges.store.queues import CONSUMER
from system.settings import Settings
from system.settings.model import ROLES

ROLE_OF = {"orders": "orders", "payments": "payment", "stock": "stock",
           "notifications": "notification"}  # fmt: skip
"""The role that runs each participant's service; `orchestrator` runs those of your own."""


def roles_of(services: Iterable[type[Service]]) -> dict[str, str]:
    """The role that runs each receiver: each service by its participant's name, and the sagas.

    A service of your own is run by the role of the sagas.
    """
    names = [service.participant.name for service in services]
    return {ORCHESTRATOR: ORCHESTRATOR, **{n: ROLE_OF.get(n, ORCHESTRATOR) for n in names}}


def consumer_of(settings: Settings) -> str:
    """The consumer under which the offsets of what is read are kept.

    The embedded log has one, whatever roles are run: it keeps the progress of each role itself.
    """
    return group_of(settings) if settings.kafka else CONSUMER


def group_of(settings: Settings) -> str:
    """The consumer group of this worker's roles: workers of other roles need every record too."""
    if set(settings.roles) == set(ROLES):
        return settings.kafka_group
    return f"{settings.kafka_group}.{'+'.join(role for role in ROLES if role in settings.roles)}"
