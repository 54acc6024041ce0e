"""Who is told what a bridge has done, and how a trace goes along with records."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from actors.messages import Message
from actors.sagas.progress import Progress
from bridges.batch import Batch
from bridges.call_results import CallDone
from bridges.record import Headers

if TYPE_CHECKING:
    from bridges.world import World

TRACEPARENT = "traceparent"
"""The header that ties a record to a trace: W3C Trace Context, https://www.w3.org/TR/trace-context."""


class Observer:
    """Told on the loop's thread, so it has to be quick. What `committed` raises is logged."""

    def committed(self, batch: Batch, world: "World", seconds: float) -> None:
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

    def stamped(self, message: Message, sagas: Mapping[str, Progress]) -> Message:
        """A message to be written, with the context of its saga, if that is in this batch."""
        raise NotImplementedError


def header_of(message: Message) -> Headers:
    """The headers of the record that carries a message."""
    traceparent = message.traceparent
    return ((TRACEPARENT, traceparent.encode()),) if traceparent else ()
