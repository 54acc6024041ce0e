"""Who does which part of the work."""

from system.settings import Settings
from system.settings.model import ROLES

ROLE_OF = {"orders": "orders", "payments": "payment", "stock": "stock",
           "notifications": "notification"}  # fmt: skip
"""The role that runs each participant's service; a service of your own is a role of its own."""


def group_of(settings: Settings) -> str:
    """The consumer group of this worker's roles: workers of other roles need every record too."""
    if set(settings.roles) == set(ROLES):
        return settings.kafka_group
    return f"{settings.kafka_group}.{'+'.join(role for role in ROLES if role in settings.roles)}"
