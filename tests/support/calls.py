"""External calls of tests: made when the test says so, or that hang until it lets them go."""

import threading
from collections.abc import Callable
from typing import Any

from actors.delivery import ExternalCall
from actors.entities import Notification
from actors.messages import EXCEPTION, CallOutcome
from bridges.call_results import CallDone, perform
from bridges.call_runners import Done

PATIENCE = 30.0
"""Seconds that a test waits for what takes milliseconds."""


class HeldCalls:
    """A runner that makes no call until it is told to."""

    def __init__(self) -> None:
        self.held: list[tuple[ExternalCall, Done]] = []
        self.begun: list[ExternalCall] = []
        """Every call that it was given, in their order."""

    def run(self, call: ExternalCall, done: Done) -> None:
        self.begun.append(call)
        self.held.append((call, done))

    def stop(self) -> list[ExternalCall]:
        return []

    def let_go(self, count: int | None = None) -> None:
        """Make the calls that are held, or the first few of them."""
        now, self.held = self.held[:count], self.held[len(self.held[:count]) :]
        for call, done in now:
            done(perform(call))


class HangingChannel:
    """A mail server that answers nobody until it is let go."""

    name = "hanging"
    local = False

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.reached = threading.Semaphore(0)
        self.sent: list[str] = []

    def send(self, notification: Notification, now: float) -> None:
        """Hang."""
        self.reached.release()
        if not self.let_go.wait(PATIENCE):
            raise TimeoutError
        self.sent.append(notification.order_id)


class Results:
    """Takes what became of calls, from any thread."""

    def __init__(self) -> None:
        self.results: list[CallDone] = []
        self._changed = threading.Condition()

    def __call__(self, done: CallDone) -> None:
        with self._changed:
            self.results.append(done)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[CallDone]:
        """The results, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.results) >= count, PATIENCE)
            return list(self.results)


def a_call(
    key: str = "o-1",
    make: Callable[[], Any] = lambda: None,
    service: str = "payments",
    operation: str = "charge",
    then: Any = None,
) -> ExternalCall:
    """A call about the order that its key names."""

    def outcome(result: Any, error: BaseException | None) -> CallOutcome:
        return CallOutcome(order_id=key, failure=EXCEPTION if error else "", error=str(error or ""))

    return ExternalCall(
        service=service, operation=operation, key=key, order_id=key, make=make,
        then=then or outcome,
    )  # fmt: skip
