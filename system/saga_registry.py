"""The registry of sagas, with deadlines scaled by the settings."""

from collections.abc import Iterable
from typing import Any

from order_sagas.actors.messages import LoadStock, OrderCreated, status
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.app import app_of
from order_sagas.system.settings import Settings
from order_sagas.system.settings.errors import SettingError


def registry_of(settings: Settings) -> Registry:
    """Return the registry of the app's sagas, with deadlines scaled by `deadline_scale`."""
    return scaled(app_of(settings).sagas, settings)


def orders_saga(settings: Settings) -> Saga[Any]:
    """Return the saga that orders start. Raises SettingError if the app takes no orders."""
    app = app_of(settings)
    found = app.registry.started_by.get(OrderCreated)
    if found is None:
        names = ", ".join(app.registry.newest)
        raise SettingError(
            "app", settings.app, f"it takes no orders: no saga starts on ORDER_CREATED. "
            f"It has {names}; see `sagas start`, `sagas` and `show`",
        )  # fmt: skip
    return found


def check_stock(settings: Settings) -> None:
    """Raise SettingError unless a service of the app takes deliveries of stock."""
    app = app_of(settings)
    if status(LoadStock) not in app.messages:
        names = ", ".join(app.participants) or "no service"
        raise SettingError(
            "app", settings.app, f"it keeps no stock: no service takes LOAD_STOCK; it has {names}"
        )


def scaled(sagas: Iterable[Saga[Any]], settings: Settings) -> Registry:
    """Return a registry of these sagas, with deadlines scaled by `deadline_scale`."""
    return Registry(saga.scaled(settings.deadline_scale) for saga in sagas)
