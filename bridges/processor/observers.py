"""Who is told what a bridge has done, and how a trace goes along with records."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.records.record import Headers

if TYPE_CHECKING:
    from order_sagas.bridges.processor.context import ProcessorContext

TRACEPARENT = "traceparent"
"""The header that ties a record to a trace: W3C Trace Context, https://www.w3.org/TR/trace-context."""


class Observer:
    """Told on the loop's thread, so it has to be quick. What `committed` raises is logged."""

    def committed(self, batch: Batch, context: "ProcessorContext", seconds: float) -> None:
        """The batch is stored, for good; its transaction took so long."""

    def rolled_back(self) -> None:
        """A batch was dropped: nothing of it happened."""

    def call_failed(self, done: CallDone) -> None:
        """An external call did not do what was asked, or nobody knows whether it did."""


class Tracing(Observer):
    """An observer that also reads and writes the context of traces."""

    def received(self, message: Message, headers: Headers) -> Message:
        """The message that starts a saga, with the context in which it was sent, if any."""
        raise NotImplementedError

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        """A message to be written, with the context of its saga, if that is in this batch."""
        raise NotImplementedError


def header_of(message: Message) -> Headers:
    """The headers of the record that carries a message."""
    traceparent = message.traceparent
    return ((TRACEPARENT, traceparent.encode()),) if traceparent else ()
