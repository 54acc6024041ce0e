"""The protocol of what makes external calls, and its simplest implementation."""

from collections.abc import Callable
from typing import Protocol

from order_sagas.actors.protocol import ExternalCall
from order_sagas.bridges.processor.call_results import CallDone, perform

Done = Callable[[CallDone], None]
"""Receives the result of a call; may be called from any thread."""


class CallRunner(Protocol):
    """Runs calls, without blocking its caller, and reports each exactly once.

    It limits how many calls run at a time; `ExternalCalls` limits how many wait.
    """

    def run(self, call: ExternalCall, done: Done) -> None:
        """Run the call, now or later, and report its result, which may be an exception."""
        ...

    def stop(self) -> list[ExternalCall]:
        """Begin no more calls; return the accepted calls that had not begun. May be repeated."""
        ...


class ImmediateCalls:
    """Runs each call at once, on the caller's thread. For simulated external systems."""

    def run(self, call: ExternalCall, done: Done) -> None:
        """Run the call and report its result before returning."""
        done(perform(call))

    def stop(self) -> list[ExternalCall]:
        """Return an empty list: no call waits."""
        return []
