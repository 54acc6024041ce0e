"""The trace context of a request (W3C Trace Context), for the message in its body."""

from typing import TypeVar

from msgspec.structs import replace
from starlette.requests import Request

from order_sagas.actors.messages import Message
from order_sagas.bridges.records.trace_context import TRACEPARENT, TRACESTATE, tracestate_of

LONGEST_PARENT = 200
"""Maximum number of characters of a `traceparent` header; version 00 has 55."""

M = TypeVar("M", bound=Message)


def in_trace_of(message: M, request: Request) -> M:
    """Return the message with the `traceparent` and `tracestate` of the request, if it has one.

    The former is passed on unchecked: workers validate it, if they trace or pass traces on.
    """
    parents = request.headers.getlist(TRACEPARENT)
    if len(parents) != 1 or not 0 < len(parents[0]) <= LONGEST_PARENT:
        return message
    states = request.headers.getlist(TRACESTATE)
    state = tracestate_of((TRACESTATE, each.encode("latin-1")) for each in states)
    return replace(message, traceparent=parents[0], tracestate=state)
