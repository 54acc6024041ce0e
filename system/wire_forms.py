"""The wire forms of the topics in Kafka, from the saga definitions and the settings."""

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.topics import DEAD_LETTERS, EVERY_APP
from order_sagas.bridges.records.cloud_events import with_cloud_events
from order_sagas.bridges.records.wire_forms import WireForm, writers_of
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings


def wire_forms_of(settings: Settings, registry: Registry | None = None) -> dict[str, WireForm]:
    """Return how values and headers are written to topics whose records are not plain.

    Empty for the embedded log, which only this system reads. Raises DefinitionError if participants
    of `registry` contradict each other, or if a topic for CloudEvents does not exist; None is the
    registry that the settings name.
    """
    if not settings.kafka:
        return {}
    registry = registry or registry_of(settings)
    forms = writers_of(registry.participants().values(), dict(settings.wire_forms))
    if not settings.cloud_events:
        return forms
    check_cloud_events(settings, registry)
    return with_cloud_events(forms, settings.cloud_events, settings.cloud_events_source)


def check_cloud_events(settings: Settings, registry: Registry) -> None:
    """Raise DefinitionError if the setting `cloud_events` names an unknown topic."""
    topics = {participant.topic for participant in registry.participants().values()}
    topics |= {saga.origin.topic for saga in registry} | {*EVERY_APP} - {DEAD_LETTERS}
    unknown = sorted({*settings.cloud_events} - topics)
    if unknown:
        raise DefinitionError(
            f"cloud_events names {', '.join(unknown)}; CloudEvents can be written to "
            f"{', '.join(sorted(topics))}"
        )
