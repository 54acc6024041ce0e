"""The wire forms of the topics in Kafka, from the saga definitions and the settings."""

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.records.wire_forms import WireForm, writers_of
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings


def wire_forms_of(settings: Settings, registry: Registry | None = None) -> dict[str, WireForm]:
    """Return how values are written to topics whose records are not plain.

    Empty for the embedded log, which only this system reads. Raises DefinitionError if participants
    of `registry` contradict each other; None is the registry that the settings name.
    """
    if not settings.kafka:
        return {}
    registry = registry or registry_of(settings)
    return writers_of(registry.participants().values(), dict(settings.wire_forms))
