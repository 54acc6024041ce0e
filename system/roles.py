"""Roles: which process runs which services, and the consumer groups that result."""

from collections.abc import Iterable

from order_sagas.actors.services.service import Service
from order_sagas.bridges.records.routing import ORCHESTRATOR
from order_sagas.bridges.storage.consumers import consumer_of_set
from order_sagas.bridges.storage.log_queues import CONSUMER
from order_sagas.system.app import app_of, roles_here
from order_sagas.system.settings import Settings


def roles_of(services: Iterable[type[Service]]) -> dict[str, str]:
    """Map each receiver to its role: services by their participant's name, and the orchestrator."""
    participants = [service.participant for service in services]
    return {ORCHESTRATOR: ORCHESTRATOR, **{each.name: each.role for each in participants}}


def consumer_of(settings: Settings) -> str:
    """Return the name under which the database stores a worker's offsets: one per set of roles.

    The embedded log has one consumer for any set of roles, as it stores the progress of each role.
    """
    return group_of(settings) if settings.kafka else CONSUMER


def group_of(settings: Settings) -> str:
    """Return the Kafka consumer group of this worker's roles. Other roles get all records too."""
    if not settings.roles:
        return settings.kafka_group
    app = app_of(settings)
    return consumer_of_set(settings.kafka_group, roles_here(settings, app), app.roles)
