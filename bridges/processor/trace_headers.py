"""Passes trace contexts on to the records of a saga, without spans of its own."""

from collections.abc import Mapping

from msgspec.structs import replace

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.observers import Tracing


class TraceHeaders(Tracing):
    """Every record of a saga gets the `traceparent` and `tracestate` of the one that started it.

    So services written elsewhere are part of the caller's trace, although this system exports
    nothing. A saga that was started without a trace has records without one.
    """

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        """Add the trace context of its saga to an outgoing message that has none."""
        if message.traceparent:
            return message  # a reply: it has the one of its command
        progress = sagas.get(message.saga_id)
        if progress is None or not progress.start.traceparent:
            return message
        start = progress.start
        return replace(message, traceparent=start.traceparent, tracestate=start.tracestate)
