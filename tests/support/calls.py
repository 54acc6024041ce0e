"""Fakes for external calls: a runner controlled by the test, and a channel that hangs."""

import threading
from collections.abc import Callable
from typing import Any

from order_sagas.actors.entities import Notification
from order_sagas.actors.messages import EXCEPTION, CallOutcome
from order_sagas.actors.protocol import ExternalCall
from order_sagas.actors.services.call_limits import UNLIMITED, CallLimits
from order_sagas.bridges.processor.call_results import CallDone, perform
from order_sagas.bridges.processor.call_runners import Done

PATIENCE = 30.0
"""Seconds that a test waits for something that takes milliseconds."""


class HeldCalls:
    """A call runner that holds all calls until the test makes them."""

    def __init__(self) -> None:
        self.held: list[tuple[ExternalCall, Done]] = []
        self.begun: list[ExternalCall] = []
        """All calls, in the order of `run`."""

    def run(self, call: ExternalCall, done: Done) -> None:
        """Keep the call without making it."""
        self.begun.append(call)
        self.held.append((call, done))

    def stop(self) -> list[ExternalCall]:
        """Return no calls: the held ones are dropped."""
        return []

    def let_go(self, count: int | None = None) -> None:
        """Make the held calls, or the first few of them."""
        now, self.held = self.held[:count], self.held[len(self.held[:count]) :]
        for call, done in now:
            done(perform(call))


class HangingChannel:
    """A notification channel that blocks until it is released."""

    name = "hanging"
    local = False

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.reached = threading.Semaphore(0)
        self.sent: list[str] = []

    def send(self, notification: Notification, now: float) -> None:
        """Block until released."""
        self.reached.release()
        if not self.let_go.wait(PATIENCE):
            raise TimeoutError
        self.sent.append(notification.order_id)


class Results:
    """Collects the results of calls. Safe in any thread."""

    def __init__(self) -> None:
        self.results: list[CallDone] = []
        self._changed = threading.Condition()

    def __call__(self, done: CallDone) -> None:
        with self._changed:
            self.results.append(done)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[CallDone]:
        """Wait for a number of results, and return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.results) >= count, PATIENCE)
            return list(self.results)


def a_call(
    key: str = "o-1",
    make: Callable[[], Any] = lambda: None,
    service: str = "payments",
    operation: str = "charge",
    then: Any = None,
    limits: CallLimits = UNLIMITED,
) -> ExternalCall:
    """Return a call about the order that its key names."""

    def outcome(result: Any, error: BaseException | None) -> CallOutcome:
        return CallOutcome(order_id=key, failure=EXCEPTION if error else "", error=str(error or ""))

    return ExternalCall(
        service=service, operation=operation, key=key, order_id=key, make=make,
        then=then or outcome, limits=limits,
    )  # fmt: skip
