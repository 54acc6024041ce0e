"""Routing: the receivers of a message, by its topic and its class."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import OPERATOR_COMMANDS, Internal, Message
from order_sagas.actors.sagas.child_messages import CHILDREN, UndoChild
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.service import Service
from order_sagas.actors.topics import DEAD_LETTERS, EVERY_APP, OPERATORS

ORCHESTRATOR = "orchestrator"
"""The role that runs the sagas. The other roles are those of the services' participants."""


class Route(NamedTuple):
    """A receiver, the entity to load for it (None for a saga), and the shard's key."""

    receiver: str
    entity: type[Entity] | None
    keyed_by: Callable[[Any], str]


TO_DEAD_LETTERS = (Route(ORCHESTRATOR, None, attrgetter("order_id")),)
"""The route of a record that cannot be decoded: the orchestrator makes it a dead letter."""


class Routes:
    """The routes of all messages, computed from the saga definitions and the services' handlers."""

    def __init__(self, registry: Registry, services: Iterable[type[Service]]) -> None:
        self._routes: dict[tuple[str, type[Message]], tuple[Route, ...]] = {}
        self._internal: dict[type[Message], tuple[Route, ...]] = {}
        services = [*services]
        here = {service.participant.name for service in services}
        topics: set[str] = set()
        for service in services:
            topics.add(service.participant.topic)
            for message in service.handlers:
                entity = service.entity_of.get(message, service.entity)
                keyed_by = service.participant.keyed_by
                route = Route(service.participant.name, entity, keyed_by)
                if issubclass(message, Internal):
                    self._internal[message] = (*self._internal.get(message, ()), route)
                else:
                    self._add(service.participant.topic, message, route)
        saga_route = Route(ORCHESTRATOR, None, attrgetter("order_id"))
        for saga in registry:
            self._add(saga.origin.topic, saga.starts_on, saga_route)
            for reply, places in saga.answers.items():
                for i, _ in places:
                    topics.add(saga.rows[i].to.topic)
                    self._add(saga.rows[i].to.topic, reply, saga_route)
            for participant in saga.sent_to():
                topics.add(participant.topic)
                name = participant.name
                for message in participant.remote:
                    # No actor has this name, so the record is left to the service elsewhere.
                    absent = f"{name} elsewhere" if name in here else name
                    route = Route(absent, None, participant.keyed_by)
                    self._add(participant.topic, message, route)
            if CHILDREN.topic in topics:
                self._add(CHILDREN.topic, UndoChild, saga_route)
        for command in OPERATOR_COMMANDS:
            self._add(OPERATORS, command, saga_route)
        self.topics = (*sorted(topics | {*EVERY_APP} - {DEAD_LETTERS}), DEAD_LETTERS)
        """Every topic, `dead-letters` last."""
        self.entities: tuple[type[Entity], ...] = tuple(
            {
                entity: None
                for service in services
                for entity in (service.entity, *service.entity_of.values())
            }
        )
        """Every entity class that is loaded by order id."""

    def of(self, topic: str, message: type[Message]) -> tuple[Route, ...]:
        """The receivers of a message on this topic; an empty tuple if there is none."""
        return self._routes.get((topic, message), ())

    @property
    def by_topic_and_class(self) -> Mapping[tuple[str, type[Message]], tuple[Route, ...]]:
        """The receivers of each message on each topic, as `of` gives them; for the hot path."""
        return self._routes

    def carried(self) -> dict[str, list[type[Message]]]:
        """The message classes that each topic carries, without `dead-letters`."""
        found: dict[str, list[type[Message]]] = {topic: [] for topic in self.topics[:-1]}
        for topic, message in self._routes:
            found[topic].append(message)
        return found

    def topics_of(self, receiver: str) -> tuple[str, ...]:
        """The topics that hold records for a receiver.

        For the orchestrator these are all but `dead-letters`, because it also handles the records
        that cannot be decoded.
        """
        if receiver == ORCHESTRATOR:
            return self.topics[:-1]
        taken = {
            topic
            for (topic, _), routes in self._routes.items()
            for route in routes
            if route.receiver == receiver
        }
        return tuple(topic for topic in self.topics if topic in taken)

    def inside(self, message: type[Message]) -> tuple[Route, ...]:
        """The receivers of an internal message, which no topic carries."""
        return self._internal.get(message, ())

    def _add(self, topic: str, message: type[Message], route: Route) -> None:
        known = self._routes.get((topic, message), ())
        if route not in known:
            self._routes[topic, message] = (*known, route)


def wire_messages(registry: Registry, services: Sequence[type[Service]]) -> set[type[Message]]:
    """Every message class that a topic may carry."""
    handled = {message for service in services for message in service.handlers}
    carried = {message for message in handled if not issubclass(message, Internal)}
    remote = {
        each for participant in registry.participants().values() for each in participant.remote
    }
    return registry.messages() | carried | remote | set(OPERATOR_COMMANDS)
