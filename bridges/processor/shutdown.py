"""The stop of a batch processor: its requesters, and what it waits for."""

from collections.abc import Callable
from typing import Any

import structlog
from thespian.actors import ActorAddress

from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.outcome_queue import OutcomeQueue
from order_sagas.bridges.processor.timer_acks import TimerAcks
from order_sagas.bridges.processor.wakeups import Drained

log = structlog.get_logger("processor")

DRAIN_SECONDS = 5.0
"""Maximum seconds that a stop waits for running external calls."""


class Shutdown:
    """Waits until acknowledged timers and the outcomes of running external calls are stored.

    For the calls it waits DRAIN_SECONDS at most. A mail whose outcome is unknown is sent again
    after the next start.
    """

    def __init__(
        self,
        calls: ExternalCalls,
        outcomes: OutcomeQueue,
        timer_acks: TimerAcks,
        wake_up: Callable[[float, Any], None],
    ) -> None:
        self._calls = calls
        self._outcomes = outcomes
        self._timer_acks = timer_acks
        self._wake_up = wake_up
        self.askers: list[ActorAddress] = []
        """The senders of `Stop`; each gets `Stopped`."""
        self._draining: bool | None = None
        """Whether it waits for running calls; None before a stop."""

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""
        return bool(self.askers)

    def drained(self) -> None:
        """Stop waiting for running calls."""
        self._draining = False

    def is_due(self) -> bool:
        """Whether a stop was requested and nothing is left to store; call it between batches."""
        if not self.askers or self._timer_acks.by_saga:
            return False
        if self._draining is None:
            self._draining = True
            self._calls.stop()
            if self._calls.running:
                log.info("external_calls.draining", count=self._calls.running)
                self._wake_up(DRAIN_SECONDS, Drained())
        if self._draining and not self._calls.running and not self._outcomes:
            self._draining = False
        return not self._draining
