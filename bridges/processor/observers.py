"""Observers of a batch processor, and trace context in the headers of records."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from order_sagas.actors.clock import Clock
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.records.record import Headers

log = structlog.get_logger("processor")

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
"""Headers with the trace context of a record: W3C Trace Context,
https://www.w3.org/TR/trace-context."""
LONGEST_STATE = 512
"""Maximum number of characters of a `tracestate` that is passed on."""


class ObservedContext(Protocol):
    """The part of `ProcessorContext`, which lists the observers, that they use."""

    @property
    def registry(self) -> Registry:
        """The definitions of the sagas."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock of the worker."""
        ...


class Observer:
    """Notified of what a batch processor did, on the event loop's thread: methods must not block.

    Exceptions of `committed` and `call_failed` are logged, and have no other effect.
    """

    def committed(self, batch: Batch, context: ObservedContext, seconds: float) -> None:
        """The batch is committed; its transaction took `seconds`."""

    def rolled_back(self) -> None:
        """The open batch was rolled back: nothing of it is stored."""

    def call_failed(self, done: CallDone) -> None:
        """An external call failed, or its outcome is unknown."""


class Observers:
    """Passes what happens on to all observers, and logs their exceptions."""

    def __init__(self, context: ObservedContext, observers: Sequence[Observer]) -> None:
        self._context = context
        self._observers = observers

    def committed(self, batch: Batch, seconds: float) -> None:
        """The batch is committed; its transaction took `seconds`."""
        for observer in self._observers:
            with _logged_errors():
                observer.committed(batch, self._context, seconds)

    def rolled_back(self) -> None:
        """The open batch was rolled back."""
        for observer in self._observers:
            observer.rolled_back()

    def call_failed(self, done: CallDone) -> None:
        """An external call failed, or its outcome is unknown."""
        for observer in self._observers:
            with _logged_errors():
                observer.call_failed(done)


@contextmanager
def _logged_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.error("observer.failed", error=str(error), exc_info=error)


class Tracing(Observer):
    """An observer that also reads and writes the context of traces."""

    def received(self, message: Message, headers: Headers) -> Message:
        """Return a message that starts a saga, with the trace context of its record's headers."""
        raise NotImplementedError

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        """Return an outgoing message with the trace context of its saga, if `sagas` has that."""
        raise NotImplementedError


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
