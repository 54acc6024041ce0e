"""The app: the business that the system runs, as one object that every command and process loads.

The setting `app` names it, as `module:object`. The default is the order business
(`order_sagas.system.order_app`), which uses nothing that another app could not.
"""

import importlib
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import attrs

from order_sagas.actors.errors import DefinitionError, error_text
from order_sagas.actors.messages import Message, OrderCreated, status
from order_sagas.actors.rules import Rule
from order_sagas.actors.sagas.definition import Participant, Saga
from order_sagas.actors.sagas.field_checks import list_of, shown
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.schedules import Schedule, check_schedules
from order_sagas.actors.services.locks import LockService
from order_sagas.actors.services.service import Service
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.routing import ORCHESTRATOR, Routes, wire_messages
from order_sagas.system.app_checks import check_parts
from order_sagas.system.settings import Settings
from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.model import CHOREOGRAPHED

ORDERS_APP = "order_sagas.system.order_app:APP"
CHOREOGRAPHED_APP = "order_sagas.system.choreographed_app:APP"
"""The order business, with services that get commands, and with services that act on events."""

Sample = Callable[[random.Random, str], Message]
Client = Callable[[Settings], Any]
"""Makes what a service calls other systems with. Called in the worker process, at its start."""


def _list(field: str, words: str, kind: type[Any], given: Any) -> tuple[Any, ...]:
    return list_of(words, lambda each: isinstance(each, kind), f"`{field}` of the app", given)


def _sagas(given: Iterable[Saga[Any]]) -> tuple[Saga[Any], ...]:
    return _list("sagas", "sagas", Saga, given)


def _rules(given: Iterable[Rule]) -> tuple[Rule, ...]:
    return _list("rules", "rules", Rule, given)


def _services(given: Iterable[type[Service]]) -> tuple[type[Service], ...]:
    return _list("services", "classes of services", object, given)  # `check_parts` checks them


def _schedules(given: Iterable[Schedule]) -> tuple[Schedule, ...]:
    return _list("schedules", "schedules", Schedule, given)


@attrs.frozen(kw_only=True, slots=False)
class App:
    """The sagas of a business, the services that run here, and the clients that services need.

    A participant without a service here must declare the messages that it takes elsewhere
    (`Participant(..., remote=[...])`).

    `clients` maps the name of a participant to a function that makes the client of its service from
    the settings. It is called once in each worker process, and the service gets the result as
    `UseClient`, before its first message. A client with a method `close` is closed when the worker
    stops.

    `schedules` start sagas at given times.

    Raises DefinitionError if the parts do not fit together; the message says what to change.
    """

    sagas: Sequence[Saga[Any]] = attrs.field(converter=_sagas)
    services: Sequence[type[Service]] = attrs.field(default=(), converter=_services)
    clients: Mapping[str, Client] = attrs.field(factory=dict)
    schedules: Sequence[Schedule] = attrs.field(default=(), converter=_schedules)
    simulated_clients: Mapping[str, Client] = attrs.field(factory=dict)
    """Clients that the harness and `simulate` use in place of `clients`: they call nothing outside.
    Each simulated run makes its own."""
    rules: Sequence[Rule] = attrs.field(default=(), converter=_rules)
    """Rules that the stored data has to meet after every commit."""
    sample: Sample | None = None
    """Makes the message that starts a saga in a simulation, of a random generator and an order id.
    None: messages of all classes that start sagas, with random fields."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "services", with_locks(self.sagas, self.services))
        check_parts(self.sagas, self.services)
        check_schedules(self.schedules, self.registry.started_by)
        names = [service.participant.name for service in self.services]
        for name, make in (*self.clients.items(), *self.simulated_clients.items()):
            if not callable(make):
                raise DefinitionError(
                    f"the client of {name!r} must be a function that makes it from the settings, "
                    f"not {shown(make)}"
                )
            if name not in names:
                raise DefinitionError(
                    f"there is a client for {name!r}, and no service of that name; "
                    f"there are {', '.join(names) or 'none'}"
                )

    @cached_property
    def registry(self) -> Registry:
        """The saga definitions, with deadlines as declared."""
        return Registry(self.sagas)

    @cached_property
    def routes(self) -> Routes:
        """The receivers of every message."""
        return Routes(self.registry, self.services)

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic, `dead-letters` last."""
        return self.routes.topics

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role: the orchestrator, and those of the services."""
        return every_role(self.services)

    @cached_property
    def names_of_roles(self) -> dict[str, str]:
        """The displayed name of each role: the name of its service, unless it has several services.

        The database and consumer groups use the role itself.
        """
        services = {name: each.role for name, each in self.participants.items()}
        names = {role: [name for name in services if services[name] == role] for role in self.roles}
        return {
            role: found[0] if len(found) == 1 and found[0] not in self.roles else role
            for role, found in names.items()
        }

    @cached_property
    def topics_of_roles(self) -> dict[str, tuple[str, ...]]:
        """The topics whose records each role reads."""
        found = {ORCHESTRATOR: tuple(topic for topic in self.topics if topic != DEAD_LETTERS)}
        for service in self.services:
            role = service.participant.role
            topics = self.routes.topics_of(service.participant.name)
            found[role] = tuple(dict.fromkeys([*found.get(role, ()), *topics]))
        return found

    @cached_property
    def participants(self) -> dict[str, Participant]:
        """The participants whose services run here, by name."""
        return {service.participant.name: service.participant for service in self.services}

    @property
    def elsewhere(self) -> frozenset[str]:
        """The names of the participants whose services run elsewhere, and store nothing here."""
        return frozenset(self.registry.participants()) - self.participants.keys()

    @cached_property
    def messages(self) -> dict[str, type[Message]]:
        """Every message class that a topic may carry, by status."""
        found = wire_messages(self.registry, self.services)
        return {status(message): message for message in sorted(found, key=status)}

    @property
    def takes_orders(self) -> bool:
        """True if orders (`ORDER_CREATED`) start a saga of this app."""
        return OrderCreated in self.registry.started_by


def with_locks(
    sagas: Iterable[Saga[Any]], services: Sequence[type[Service]]
) -> tuple[type[Service], ...]:
    """Return the services, with the one that grants locks if a saga is exclusive."""
    needed = any(saga.exclusive for saga in sagas) and LockService not in services
    return (*services, LockService) if needed else tuple(services)


def every_role(services: Iterable[type[Service]]) -> tuple[str, ...]:
    """Return the roles that these services have, after that of the orchestrator."""
    return tuple(dict.fromkeys([ORCHESTRATOR, *(each.participant.role for each in services)]))


def app_of(settings: Settings) -> App:
    """Return the app that the settings name, loaded once. Raises SettingError if it can't be."""
    name = settings.app
    if settings.services == CHOREOGRAPHED:
        if name != ORDERS_APP:
            raise SettingError("services", CHOREOGRAPHED, f"is for the app {ORDERS_APP} alone")
        name = CHOREOGRAPHED_APP
    return _loaded(name)


@cache
def _loaded(name: str) -> App:
    def refused(problem: str) -> SettingError:
        return SettingError("app", name, problem)

    module_name, _, attribute = name.partition(":")
    folder = os.getcwd()
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)  # as `python -m` does: an app is mostly run where it is written
    try:
        module = importlib.import_module(module_name)
    except DefinitionError as error:
        raise refused(f"{error}{_place_of(error, folder)}") from error
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise refused(
                f"there is no module {error.name!r}, looked for in {folder} too"
            ) from None
        raise refused(f"its import failed: {error}") from error
    except Exception as error:
        place = _place_of(error, folder)
        raise refused(f"its import failed: {error_text(error)}{place}") from error
    found = getattr(module, attribute, None)
    if isinstance(found, App):
        return found
    if found is None:
        apps = [key for key, value in vars(module).items() if isinstance(value, App)]
        known = f"it has {', '.join(apps)}" if apps else "and no other App"
        raise refused(f"module {module_name} has no {attribute!r}; {known}")
    raise refused(f"it is a {type(found).__name__}, and no App")


def _place_of(error: Exception, folder: str) -> str:
    """Return the file and line of the app that led to the error, in brackets, or nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if each.filename.startswith(folder + os.sep)]
    return f" ({os.path.relpath(own[-1].filename, folder)}, line {own[-1].lineno})" if own else ""


def roles_here(settings: Settings, app: App) -> tuple[str, ...]:
    """Return the roles that this process runs: those of the settings, or all.

    The settings may name the services instead. Raises SettingError for what the app does not have.
    """
    of_services = {name: each.role for name, each in app.participants.items()}
    of_services |= {role: role for role in app.roles}
    roles = tuple(dict.fromkeys(of_services.get(name, name) for name in settings.roles))
    for role in roles:
        if role not in app.roles:
            raise SettingError(
                "roles", ",".join(settings.roles),
                f"{role!r} is no role of the app; it has {', '.join(app.names_of_roles.values())}",
            )  # fmt: skip
    return roles or app.roles
