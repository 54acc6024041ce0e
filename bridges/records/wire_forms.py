"""Writes and reads the forms that a record's value can have; see `actors/wire_forms.py`."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.wire_forms import PLAIN, SPRING_JSON_STRING
from order_sagas.bridges.records.record import Headers

TYPE_ID = "__TypeId__"
"""The header by which spring-kafka's JsonDeserializer chooses the class of a value."""

WireForm = Callable[[bytes, Headers], tuple[bytes, Headers]]
"""Converts a plain value and its headers to the form. What has the form already is not changed."""


def spring_json_string(value: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """The value as a JSON string, with the header of a Java String at the end.

    A record that has a type header is returned as it is, because it was written by Spring, or for
    it. So is a value that is not UTF-8, which no JSON string can hold.
    """
    if any(name == TYPE_ID for name, _ in headers):
        return value, headers
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value, headers
    return msgspec.json.encode(text), (*headers, (TYPE_ID, b"java.lang.String"))


_WRITERS: Mapping[str, WireForm] = {SPRING_JSON_STRING: spring_json_string}


def writers_of(
    participants: Iterable[Participant], chosen: Mapping[str, str]
) -> dict[str, WireForm]:
    """How values are written, by topic; a topic that is not in the result is written plain.

    `chosen` maps topics to names of forms, and overrides what participants declare. Raises
    DefinitionError if two participants declare different forms of one topic.
    """
    declared: dict[str, Participant] = {}
    for participant in participants:
        other = declared.setdefault(participant.topic, participant)
        if other.wire != participant.wire and participant.topic not in chosen:
            raise DefinitionError(
                f"{other.name!r} and {participant.name!r} share the topic {participant.topic}, "
                f"but declare its records as {other.wire} and {participant.wire}"
            )
    names = {topic: participant.wire for topic, participant in declared.items()} | dict(chosen)
    return {topic: _WRITERS[name] for topic, name in names.items() if name != PLAIN}
