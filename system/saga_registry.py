"""The sagas that run here unless someone names others, with what the settings say about them."""

from collections.abc import Iterable, Sequence

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.settings import Settings

SAGAS: Sequence[Saga] = (PLACE_ORDER,)


def registry_of(settings: Settings, sagas: Iterable[Saga] = SAGAS) -> Registry:
    """The definitions, with the deadlines that the settings ask for."""
    return Registry(saga.scaled(settings.deadline_scale) for saga in sagas)
