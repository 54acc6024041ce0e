"""Checks that the sagas and the services of an app fit together, made when the app is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from order_sagas.actors.entities import ENTITIES, Entity
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message, status
from order_sagas.actors.sagas.child_messages import CHILDREN
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.field_checks import check_message, shown
from order_sagas.actors.sagas.participant import Participant
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.rows import Wait
from order_sagas.actors.sagas.same_fields import SameFields
from order_sagas.actors.services.service import Service
from order_sagas.bridges.records.routing import wire_messages
from order_sagas.bridges.storage.table_names import RESERVED, WORDS

_TABLE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""What both databases take without quotes; PostgreSQL cuts off what is longer."""


def check_parts(sagas: Sequence[Saga[Any]], services: Sequence[type[Service]]) -> None:
    """Raise DefinitionError if messages, participants or tables contradict each other."""
    registry = Registry(sagas)
    here: dict[str, type[Service]] = {}
    given: Sequence[Any] = services
    for service in given:
        _check_service(service)
    for service in services:
        name = service.participant.name
        if name in here:
            raise DefinitionError(
                f"{here[name].__name__} and {service.__name__} are both the service of "
                f"participant {name!r}; leave one out, or rename it"
            )
        here[name] = service
    for name, participant in registry.participants().items():
        if name not in here and not participant.remote and participant is not CHILDREN:
            raise DefinitionError(
                f"participant {name!r} has no service in this app; add the service, or declare the "
                "messages that it takes elsewhere: Participant(..., remote=[...])"
            )
    for saga in sagas:
        for participant in saga.sent_to():
            _check_topic(participant, here)
        for place, participant, message in _made_of_classes(saga):
            _check_taken(f"saga {saga.name!r}, {place}", participant, message, here)
        _check_replies(saga, here)
    _check_statuses(wire_messages(registry, services))
    _check_tables(services)


def _check_service(service: Any) -> None:
    """Check that it is the class of a service, which has all that every service needs."""
    if isinstance(service, Service):
        kind = type(service).__name__
        raise DefinitionError(f"`services` takes classes: write {kind}, not {kind}()")
    if not (isinstance(service, type) and issubclass(service, Service)):
        raise DefinitionError(
            f"`services` takes classes, subclasses of Service, not {shown(service)}"
        )
    name = service.__name__
    if not isinstance(getattr(service, "participant", None), Participant):
        raise DefinitionError(
            f"service {name} has no participant; name one: "
            f'participant = Participant("{name.lower()}", topic="{name.lower()}-events")'
        )
    entity: Any = getattr(service, "entity", None)
    if not (isinstance(entity, type) and issubclass(entity, Entity)):
        raise DefinitionError(
            f"service {name} has no entity; name the class of what it stores, a subclass of "
            "Entity: entity = ..."
        )
    handlers: Any = getattr(service, "handlers", None)
    if not isinstance(handlers, dict) or not handlers:
        raise DefinitionError(
            f"service {name} has no handlers; name the method for each message class that it "
            "takes: handlers = {PayOrder: pay}"
        )
    for message, handler in handlers.items():
        check_message(f"service {name}: a key of `handlers`", message)
        if not callable(handler):
            raise DefinitionError(
                f"service {name}: the handler of {message.__name__} must be a method, "
                f"not {shown(handler)}"
            )


def _check_topic(participant: Participant, here: dict[str, type[Service]]) -> None:
    service = here.get(participant.name)
    if service and service.participant.topic != participant.topic:
        raise DefinitionError(
            f"participant {participant.name!r} has the topic {participant.topic!r} in a saga, and "
            f"{service.participant.topic!r} in its service; write the service in place of the "
            "participant (`to`)"
        )


def _made_of_classes(saga: Saga[Any]) -> Iterator[tuple[str, Participant, type[Message]]]:
    """The messages that are given as classes, with their places: those of functions are unknown."""
    for step in saga.rows:
        for what in ("do", "undo", "ask"):
            if not step.is_child and isinstance(made := getattr(step, what), SameFields):
                yield f"step {step.name!r}: `{what}`", step.to, made.message
        remind = step.remind if isinstance(step, Wait) else None
        if remind and isinstance(remind.send, SameFields):
            yield f"step {step.name!r}: the reminder", remind.to, remind.send.message
    for notice in saga.cancelled:
        if isinstance(notice.send, SameFields):
            yield "a notice", notice.to, notice.send.message


def _check_taken(
    place: str, participant: Participant, message: type[Message], here: dict[str, type[Service]]
) -> None:
    service = here.get(participant.name)
    taken = [*(service.handlers if service else ()), *participant.remote]
    if message not in taken:
        known = ", ".join(each.__name__ for each in taken) or "nothing"
        raise DefinitionError(
            f"{place} is {message.__name__}, which {participant.name!r} does not take; "
            f"it takes {known}"
        )


def _check_replies(saga: Saga[Any], here: dict[str, type[Service]]) -> None:
    """Check that steps name the replies of services that declare their `do`.

    The saga would ignore another reply, so the step would time out. After the pivot nothing is
    undone because of a refusal, so steps there need no `failed`.
    """
    for stage, steps in enumerate(saga.stages):
        for step in steps:
            service: Any = here.get(step.to.name)
            if not hasattr(service, "do") or not step.done:
                continue
            made = step.do.message if isinstance(step.do, SameFields) else None
            if service.do is not made and service.done is not step.done:
                continue  # sent to another handler of the service
            needed = {kind: getattr(service, kind) for kind in ("done", "failed", "undone")}
            if not step.failed and (stage > saga.pivot_stage or step.pivot):
                del needed["failed"]
            if not step.undone:
                del needed["undone"]  # not waited for
            for kind, reply in needed.items():
                named = getattr(step, kind)
                if reply is not named and (reply or kind != "failed"):
                    was = f"not {named.__name__}" if named else "which it does not name"
                    raise DefinitionError(
                        f"saga {saga.name!r}, step {step.name!r}: {step.to.name!r} answers "
                        f"{reply.__name__ if reply else 'nothing'}, {was}; it needs "
                        f"{kind}={reply.__name__ if reply else None}"
                    )


def _check_statuses(messages: Iterable[type[Message]]) -> None:
    known: dict[str, type[Message]] = {}
    for message in messages:
        other = known.setdefault(status(message), message)
        if other is not message:
            both = sorted(f"{each.__module__}.{each.__qualname__}" for each in (message, other))
            raise DefinitionError(
                f"{' and '.join(both)} have the same status {status(message)}; rename one"
            )


def _check_tables(services: Iterable[type[Service]]) -> None:
    known: dict[str, type[Entity]] = {}
    for entity in entities_of(services):
        if not hasattr(entity, "table"):
            raise DefinitionError(
                f'{entity.__name__} has no table; name one: table = "{entity.__name__.lower()}s"'
            )
        other = known.setdefault(entity.table, entity)
        if other is not entity:
            raise DefinitionError(
                f"{entity.__name__} and {other.__name__} have the same table {entity.table!r}"
            )
        if entity.pending and "status" not in entity.__struct_fields__:
            raise DefinitionError(f"{entity.__name__} has `pending`, and no field `status`")
        if entity not in ENTITIES:
            _check_own(entity)


def _check_own(entity: type[Entity]) -> None:
    """Check an entity class that is not of the order business."""
    if entity.table in RESERVED | {shipped.table for shipped in ENTITIES}:
        raise DefinitionError(f"{entity.__name__}: the table name {entity.table!r} is reserved")
    if not _TABLE_NAME.fullmatch(entity.table):
        raise DefinitionError(
            f"{entity.__name__}: the table name {entity.table!r} must be of small letters, digits "
            "and _, begin with no digit, and have 63 characters at most"
        )
    for name in entity.key:
        if name not in entity.__struct_fields__:
            raise DefinitionError(
                f"{entity.__name__} has no field {name!r}, which is its key; add the field, or "
                "name other ones: key = (...)"
            )
    for name in entity.__struct_fields__:
        if name.lower() in WORDS or name == "no":
            raise DefinitionError(
                f"{entity.__name__}: no column can be named {name!r}, a word of SQL or the number "
                "of the order; rename the field"
            )


def entities_of(services: Iterable[type[Service]]) -> tuple[type[Entity], ...]:
    """Return every entity class that the services store, once."""
    return tuple(
        {
            entity: None
            for service in services
            for entity in (service.entity, *service.entity_of.values(), *service.memory)
        }
    )
