"""One life of a worker: from its start to its end, or its death."""

from collections.abc import Iterable
from typing import Any

from thespian.actors import ActorAddress, ActorSystem

from actors.services.service import Service
from bridges.messages import RecordsWaiting
from system.bootstrap import Parts, RunningSystem, start
from system.harness.crashes import WatchedMailbox
from system.harness.stage import Stage
from system.runtime import EventLoopBase, Policy
from system.runtime.base import Interceptor


class Worker:
    """A worker on a stage. Its methods raise Crashed when it dies of a planned crash."""

    running: RunningSystem | None = None
    """None until the actors are there."""

    def __init__(
        self, stage: Stage, parts: Parts, policy: Policy, interceptors: list[Interceptor]
    ) -> None:
        self.stage = stage
        self.parts = parts
        self.base = EventLoopBase(stage.clock, policy, threaded=False)
        self.rung = False
        """Whether the bridge was told since it last had nothing to do."""
        self.services: dict[str, ActorAddress] = {}
        self._interceptors = interceptors

    def start(self) -> None:
        """Create the actors, and let them take up what the database holds."""
        self.watch_messages()
        self.meddle(self._interceptors)
        self.running = start(self.parts, ActorSystem(self.base, transientUnique=True))
        for view in self.base.actors():
            if issubclass(view.actor_class, Service):
                self.services[view.actor_class.participant.name] = view.address
        self.run()

    def run(self) -> None:
        """Let the actors do all that can be done without time passing."""
        self.base.run_until_idle()
        self.rung = False
        if self.running and self.running.failure:
            raise self.running.failure

    def ring(self) -> None:
        """Tell the bridge that records wait."""
        if self.running and not self.rung:
            self.rung = True
            self.base.inject(self.running.bridge, self.running.bridge, RecordsWaiting())

    def watch_messages(self) -> None:
        """See each message from now on, if a crash is planned between messages."""
        if self.stage.points.needs_mailbox and not isinstance(self.base.mailbox, WatchedMailbox):
            self.base.mailbox = WatchedMailbox(self.base.mailbox, self.stage.points)
            self.base.interceptor = self.base.interceptor  # whoever posts, posts to this one

    def meddle(self, interceptors: list[Interceptor]) -> None:
        """Show these each message that is sent."""
        self._interceptors = interceptors
        if interceptors:
            self.base.interceptor = self._intercept
        elif self.base.interceptor is not None:
            self.base.interceptor = None

    def kill(self) -> None:
        """End it at once, as a power cut would: what is not committed is gone."""
        self.base.crash()
        self._let_go()

    def stop(self) -> None:
        """End it in good order: the batch in hand is committed."""
        stopped = self.running is not None and self.running.stop()
        self._let_go(in_good_order=stopped)

    def _let_go(self, *, in_good_order: bool = False) -> None:
        self.stage.placed.clear()
        self.stage.held.clear()
        while self.stage.stores:
            self.stage.stores.pop().close()
        while self.stage.call_runners:
            self.stage.call_runners.pop().close(in_good_order=in_good_order)

    def _intercept(
        self, sender: ActorAddress, receiver: ActorAddress, message: Any
    ) -> Iterable[Any] | None:
        messages: Iterable[Any] = (message,)
        for interceptor in self._interceptors:
            messages = [
                each for one in messages for each in interceptor(sender, receiver, one) or ()
            ]
        return messages
