"""The started actors of a worker, as the rest of its process sees them."""

import threading
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress, ActorSystem

from order_sagas.bridges.processor.messages import AskReport, Report, Stop, Stopped


class RunningSystem:
    """The started actors of a worker, with access to the batch processor."""

    def __init__(
        self,
        actors: ActorSystem,
        processor: ActorAddress,
        on_failure: Callable[[BaseException], Any],
    ) -> None:
        self.actors = actors
        self.processor = processor
        self._on_failure = on_failure
        self.failure: BaseException | None = None
        self.failed = threading.Event()
        """Set when the system has failed; `failure` is the error."""
        self.clients: tuple[Any, ...] = ()
        """The clients of the services, closed at the stop if they have a method `close`."""

    def tell_processor(self, message: Any) -> None:
        """Send the batch processor a message. May be called from any thread."""
        with self.actors.private() as context:
            context.tell(self.processor, message)

    def report(self, timeout: float = 1.0) -> Report | None:
        """Return the batch processor's report, or None if it did not answer within `timeout` s."""
        with self.actors.private() as context:
            answer = context.ask(self.processor, AskReport(), timeout)
        return answer if isinstance(answer, Report) else None

    def fail(self, error: BaseException) -> None:
        """Record that the system has failed, and call `on_failure`."""
        self.failure = error
        self.failed.set()
        self._on_failure(error)

    def stop(self, timeout: float = 60.0) -> bool:
        """Finish and commit the batch, then stop. Returns False if `timeout` seconds passed."""
        with self.actors.private() as context:
            answer = context.ask(self.processor, Stop(), timeout)
        self.actors.shutdown()
        for client in self.clients:
            close = getattr(client, "close", None)
            if close:
                close()
        return isinstance(answer, Stopped)
