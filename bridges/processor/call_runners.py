"""What makes external calls: the protocol, and the simplest one."""

from collections.abc import Callable
from typing import Protocol

from order_sagas.actors.protocol import ExternalCall
from order_sagas.bridges.processor.call_results import CallDone, perform

Done = Callable[[CallDone], None]
"""Takes the result of a call back to the batch processor; safe to call from any thread."""


class CallRunner(Protocol):
    """Runs calls, without blocking its caller, and reports each exactly once.

    It limits how many run at a time; how many may wait is limited by `ExternalCalls`.
    """

    def run(self, call: ExternalCall, done: Done) -> None:
        """Run the call, now or later, and report its result; an exception is a result too."""
        ...

    def stop(self) -> list[ExternalCall]:
        """Begin no more calls; answers those that were taken and had not begun. May be repeated."""
        ...


class ImmediateCalls:
    """Runs each call at once, on the caller's thread: where the outside is simulated too."""

    def run(self, call: ExternalCall, done: Done) -> None:
        """See `CallRunner.run`."""
        done(perform(call))

    def stop(self) -> list[ExternalCall]:
        """See `CallRunner.stop`."""
        return []
