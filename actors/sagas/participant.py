"""Participants of sagas, and the topic of signals."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import attrs

from order_sagas.actors import topics
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.field_checks import check_text, is_message, list_of, shown
from order_sagas.actors.wire_forms import PLAIN, WIRE_FORMS


def _messages(given: Any) -> tuple[type[Message], ...]:
    return list_of("message classes", is_message, "`remote` of a participant", given)


def _text(participant: "Participant", attribute: Any, value: Any) -> None:
    check_text(f"participant {participant.name!r}: its {attribute.name}", value)


def _function(participant: "Participant", attribute: Any, value: Any) -> None:
    if not callable(value):
        raise DefinitionError(
            f"participant {participant.name!r}: `{attribute.name}` must be a function, "
            f"not {shown(value)}"
        )


def _known_wire_form(participant: "Participant", attribute: Any, value: str) -> None:
    if value not in WIRE_FORMS:
        raise DefinitionError(
            f"participant {participant.name!r}: its wire form {value!r} is none of "
            f"{', '.join(WIRE_FORMS)}"
        )


@attrs.frozen
class Participant:
    """A service that takes part in sagas: its name, its topic, and the key of its records.

    `keyed_by` returns the key of a message. The key decides the shard, and so the worker that owns
    the entity. The default is the order id.

    `remote` is for a service that runs elsewhere: the classes of the messages that it takes. Their
    records are left to it. Without them, a record that no service of the app takes becomes a dead
    letter. `role` is the name under which `--roles` starts the service; several
    services may have the same.

    `wire` is the form in which records are written to its topic in Kafka, one of `WIRE_FORMS`;
    every form is read.

    Raises DefinitionError if a field is wrong.
    """

    name: str = attrs.field(validator=_text)
    topic: str = attrs.field(validator=_text)
    keyed_by: Callable[[Any], str] = attrs.field(
        default=attrgetter("order_id"), validator=_function
    )
    remote: Sequence[type[Message]] = attrs.field(default=(), converter=_messages, kw_only=True)
    role: str = attrs.field(
        default=attrs.Factory(lambda participant: participant.name, takes_self=True), kw_only=True
    )
    wire: str = attrs.field(default=PLAIN, kw_only=True, validator=_known_wire_form)


Receiver = Participant | type[Any]
"""Whom a message is for: a participant, or the class of a service, which has one.

Its type is `Any`, since no protocol describes an attribute of a class to both type checkers.
"""


def participant_of(receiver: Receiver) -> Participant:
    """Return the participant; a converter of attrs. Raises DefinitionError if there is none."""
    found = getattr(receiver, "participant", None) if isinstance(receiver, type) else receiver
    if not isinstance(found, Participant):
        raise DefinitionError(
            f"{shown(receiver)} is no participant: `to` must be a Participant, or the class of a "
            "service that has one"
        )
    return found


SIGNALS = Participant("signals", topic=topics.SIGNALS)
"""Where a `Wait` takes its messages from. It is no service: nothing is sent to it."""

TIMER = Participant("timer", topic="")
"""What a `Delay` waits for: time. It has no topic."""
