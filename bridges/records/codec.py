"""Encoding of messages in records: a JSON object with at least `orderId` and `status`."""

import functools
import operator
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from order_sagas.actors.messages import Message, status
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.records.repeated_names import may_repeat_order_id, repeated_name

LARGEST = 1024 * 1024
"""Maximum size of a value that is decoded, in bytes. It is Kafka's default limit for a record."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@functools.cache
def _decoder_of(messages: frozenset[type[Message]]) -> msgspec.json.Decoder[Any]:
    union: Any = functools.reduce(operator.or_, messages)
    return msgspec.json.Decoder(union)


class _WrappedError(Exception):
    """The value is a JSON string that holds the JSON object `value`."""

    def __init__(self, value: bytes) -> None:
        super().__init__()
        self.value = value


class MessageCodec:
    """Encodes and decodes the given message classes.

    A JSON string that holds a JSON object is read like the object (the wire form of Spring).

    Unknown fields are ignored, and a field that is null counts as absent, because services written
    elsewhere send both.
    """

    def __init__(self, messages: Iterable[type[Message]]) -> None:
        self.messages = {status(message): message for message in messages}
        self._decoder = _decoder_of(frozenset(self.messages.values()))
        self.encode = msgspec.json.Encoder().encode
        """Encode a message as the value of a record."""

    def decode(self, record: Record) -> Message:
        """The message in a record; raises UnreadableRecordError if there is none.

        A message without an event id gets one made of topic, partition and offset, so that its
        effects can be traced to it.
        """
        message = self.decode_value(record.value)
        if message.event_id:
            return message
        return replace(message, event_id=f"{record.topic}:{record.partition}:{record.offset}")

    def decode_value(self, value: bytes | None) -> Message:
        """The message in the value of a record; raises UnreadableRecordError if there is none."""
        if value is None:
            raise UnreadableRecordError("the record has no value")
        if len(value) > LARGEST:
            raise UnreadableRecordError(f"{len(value)} bytes, more than the {LARGEST} allowed")
        if b"\\u0000" in value and _NUL.search(value):
            raise UnreadableRecordError(
                "a text holds the character NUL, which PostgreSQL can't store"
            )
        try:
            message = self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnreadableRecordError(f"not JSON: {error}") from None
        except RecursionError:
            raise UnreadableRecordError("the JSON is nested too deep") from None
        except _WrappedError as wrapped:
            return self.decode_value(wrapped.value)
        if not message.order_id:
            raise UnreadableRecordError("orderId is empty")
        if may_repeat_order_id(value):
            _refuse_repeated_names(value)
        return message

    def _decode(self, value: bytes) -> Message:
        try:
            message: Message = self._decoder.decode(value)
        except msgspec.ValidationError as error:
            return self._decode_loosely(value, error)
        return message

    def _decode_loosely(self, value: bytes, error: msgspec.ValidationError) -> Message:
        """Decode without the fields that are null."""
        fields = msgspec.json.decode(value)
        if isinstance(fields, str) and fields.lstrip().startswith("{"):
            raise _WrappedError(fields.encode()) from None
        if not isinstance(fields, dict):
            raise UnreadableRecordError(f"not a JSON object: {error}") from None
        name = fields.get("status")
        kind = self.messages.get(name) if isinstance(name, str) else None
        if kind is None:
            known = ", ".join(sorted(self.messages))  # the same text in every process
            shown = repr(name) if len(repr(name)) <= 80 else f"{repr(name)[:80]}..."
            raise UnreadableRecordError(f"unknown status {shown}; known: {known}") from None
        try:
            return msgspec.convert({k: v for k, v in fields.items() if v is not None}, kind)
        except msgspec.ValidationError as closer:
            raise UnreadableRecordError(str(closer)) from None


def _refuse_repeated_names(value: bytes) -> None:
    try:
        name = repeated_name(value)
    except RecursionError:
        raise UnreadableRecordError("the JSON is nested too deep") from None
    if name:
        raise UnreadableRecordError(f"an object has the name {name[:40]!r} twice")
