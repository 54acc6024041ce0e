"""The default sagas, and the registry with deadlines scaled by the settings."""

from collections.abc import Iterable, Sequence
from typing import Any

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.settings import Settings

SAGAS: Sequence[Saga[Any]] = (PLACE_ORDER,)


def registry_of(settings: Settings, sagas: Iterable[Saga[Any]] = SAGAS) -> Registry:
    """Return the registry of the sagas, with deadlines scaled by `deadline_scale`."""
    return Registry(saga.scaled(settings.deadline_scale) for saga in sagas)
