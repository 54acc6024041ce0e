"""Trace context in the headers of records."""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from order_sagas.actors.messages import Message
from order_sagas.bridges.records.record import Headers

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
"""Headers with the trace context of a record: W3C Trace Context,
https://www.w3.org/TR/trace-context."""
LONGEST_STATE = 512
"""Maximum number of characters of a `tracestate` that is passed on."""

_VALID = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{1,145})?"
)
"""A `traceparent` of version 00, or the known part of a later version."""


def header_of(message: Message) -> Headers:
    """Return the headers of the record that carries a message."""
    traceparent = message.traceparent
    if not traceparent:
        return ()
    parent = (TRACEPARENT, traceparent.encode())
    return (parent, (TRACESTATE, message.tracestate.encode())) if message.tracestate else (parent,)


def tracestate_of(headers: Iterable[tuple[str, bytes]]) -> str:
    """Return the value of the `tracestate` headers; "" if there is none that may be passed on.

    Several are one list. One that is too long or not ASCII is dropped, which changes no trace.
    """
    found = b",".join(value for name, value in headers if name == TRACESTATE and value)
    if not found.isascii() or len(found) > LONGEST_STATE:
        return ""
    text = found.decode()
    return text if text.isprintable() else ""


def is_traceparent(header: bytes) -> bool:
    """Return whether a `traceparent` header is well-formed (W3C Trace Context, level 1)."""
    if _VALID.fullmatch(header) is None:
        return False
    return header[:3] != b"00-" or len(header) == 55


def with_trace(message: Message, headers: Headers) -> Message:
    """Return the message with the valid trace context in the headers of its record, if any."""
    for name, value in headers:
        if name == TRACEPARENT and is_traceparent(value):
            return replace(message, traceparent=value.decode(), tracestate=tracestate_of(headers))
    return message
