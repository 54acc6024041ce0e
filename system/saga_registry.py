"""The registry of sagas, with deadlines scaled by the settings."""

from collections.abc import Iterable
from typing import Any

from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.app import app_of
from order_sagas.system.settings import Settings


def registry_of(settings: Settings) -> Registry:
    """Return the registry of the app's sagas, with deadlines scaled by `deadline_scale`."""
    return scaled(app_of(settings).sagas, settings)


def scaled(sagas: Iterable[Saga[Any]], settings: Settings) -> Registry:
    """Return a registry of these sagas, with deadlines scaled by `deadline_scale`."""
    return Registry(saga.scaled(settings.deadline_scale) for saga in sagas)
