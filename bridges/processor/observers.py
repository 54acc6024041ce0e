"""Observers of a batch processor."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from order_sagas.actors.clock import Clock
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.call_results import CallDone

log = structlog.get_logger("processor")


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
    """An observer that also writes the context of traces.

    While there is one, a message that starts a saga has the trace context of its record.
    """

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        """Return an outgoing message with the trace context of its saga, if `sagas` has that."""
        raise NotImplementedError
