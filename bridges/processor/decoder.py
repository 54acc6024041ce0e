"""Decodes records, and finds the receivers of their messages."""

from order_sagas.actors.messages import Message
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.records.routing import Route
from order_sagas.bridges.records.trace_context import with_trace


class Decoder:
    """Decodes records with the codec, the routes and the tracing of a context."""

    def __init__(self, context: ProcessorContext) -> None:
        self._decode = context.wire.decode
        self._routes_of = context.routes.of
        self._tracing = context.tracing
        self._starts = context.registry.started_by

    def decode(self, record: Record) -> tuple[Message, tuple[Route, ...]]:
        """Return the message of a record, and its routes, of which there is at least one.

        A message that starts a saga has the trace context of the record. Raises
        UnreadableRecordError if the record cannot be decoded, or its topic has no receiver for it.
        """
        message = self._decode(record)
        if self._tracing and record.headers and type(message) in self._starts:
            message = with_trace(message, record.headers)
        routes = self._routes_of(record.topic, type(message))
        if not routes:
            raise UnreadableRecordError(
                f"no receiver on {record.topic} takes {type(message).__name__}"
            )
        return message, routes
