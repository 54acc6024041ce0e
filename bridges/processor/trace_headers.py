"""Passes trace contexts on to the records of a saga, without spans of its own."""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.observers import TRACEPARENT, Tracing, tracestate_of
from order_sagas.bridges.records.record import Headers

_VALID = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{1,145})?"
)
"""A `traceparent` of version 00, or the known part of a later version."""


class TraceHeaders(Tracing):
    """Every record of a saga gets the `traceparent` and `tracestate` of the one that started it.

    So services written elsewhere are part of the caller's trace, although this system exports
    nothing. A saga that was started without a trace has records without one.
    """

    def received(self, message: Message, headers: Headers) -> Message:
        """Copy a valid trace context into the message."""
        for name, value in headers:
            if name == TRACEPARENT and is_traceparent(value):
                return replace(
                    message, traceparent=value.decode(), tracestate=tracestate_of(headers)
                )
        return message

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        """Add the trace context of its saga to an outgoing message that has none."""
        if message.traceparent:
            return message  # a reply: it has the one of its command
        progress = sagas.get(message.saga_id)
        if progress is None or not progress.start.traceparent:
            return message
        start = progress.start
        return replace(message, traceparent=start.traceparent, tracestate=start.tracestate)


def is_traceparent(header: bytes) -> bool:
    """Return whether a `traceparent` header is well-formed (W3C Trace Context, level 1)."""
    if _VALID.fullmatch(header) is None:
        return False
    return header[:3] != b"00-" or len(header) == 55
