"""The sagas that the settings choose, and the registry with deadlines scaled by the settings."""

from collections.abc import Iterable, Sequence

from order_sagas.actors.choreographed_order import CHOREOGRAPHED_ORDER
from order_sagas.actors.participants import NOTIFICATIONS, PAYMENTS, STOCK
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.settings import Settings
from order_sagas.system.settings.model import CHOREOGRAPHED

SAGAS: Sequence[Saga] = (PLACE_ORDER,)
"""The sagas of services that are told what to do."""


def sagas_of(settings: Settings) -> Sequence[Saga]:
    """Return the sagas for the services that the settings name.

    With choreographed services, sagas that began with the others go on as they began.
    """
    return (*SAGAS, CHOREOGRAPHED_ORDER) if settings.services == CHOREOGRAPHED else SAGAS


def elsewhere(settings: Settings) -> frozenset[str]:
    """Return the participants whose services run elsewhere, and store nothing here."""
    if settings.services == CHOREOGRAPHED:
        return frozenset({PAYMENTS.name, STOCK.name, NOTIFICATIONS.name})
    return frozenset()


def registry_of(settings: Settings, sagas: Iterable[Saga] | None = None) -> Registry:
    """Return the registry of the sagas, with deadlines scaled by `deadline_scale`.

    None: those that the settings name.
    """
    chosen = sagas_of(settings) if sagas is None else sagas
    return Registry(saga.scaled(settings.deadline_scale) for saga in chosen)
