"""One life of a worker: from its start to its end, or its death."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs
from thespian.actors import ActorAddress, ActorSystem

from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.services.service import Service
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.store import Store
from order_sagas.system.bootstrap import Parts, RunningSystem, start
from order_sagas.system.harness.bridges import Staged
from order_sagas.system.harness.clock import WorkerClock
from order_sagas.system.harness.crashes import WatchedMailbox
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.record_faults import Trip
from order_sagas.system.harness.virtual_calls import VirtualCalls
from order_sagas.system.runtime import EventLoopBase, Policy
from order_sagas.system.runtime.base import Interceptor

if TYPE_CHECKING:
    from order_sagas.system.harness.simulated_kafka import SimulatedClient


class Worker:
    """A worker on a stage. Its methods raise Crashed when it dies of a planned crash.

    `number` counts workers from 0; a worker that is started again keeps its number and its clock.
    """

    running: RunningSystem | None = None
    """None until the actors are there."""

    def __init__(
        self,
        stage: Stage,
        number: int,
        clock: WorkerClock,
        parts: Parts,
        policy: Policy,
        interceptors: list[Interceptor],
    ) -> None:
        self.stage = stage
        self.number = number
        self.alive = True
        self.busy = False
        """Whether it is being run: paused perhaps, in the middle of something."""
        self.paused = False
        """Whether its whole process stands still, with the threads of its Kafka client."""
        self.base = EventLoopBase(clock, policy, threaded=False)
        self.rung = False
        """Whether the bridge was told since it last had nothing to do."""
        self.services: dict[str, ActorAddress] = {}
        self.placed: list[Outgoing] = []
        """What the open batch wants to send."""
        self.held: list[Trip] = []
        """What the open batch sends and a fault delays."""
        self.stores: list[Store] = []
        """Connections that it has open."""
        self.call_runners: list[VirtualCalls] = []
        self.kafka: SimulatedClient | None = stage.client(self)
        adapter: Any = parts.adapter
        assert adapter
        here = {"stage": stage, "worker": self}
        self.parts = attrs.evolve(
            parts,
            clock=clock,
            outages=Outages(),
            call_runner=self._call_runner,
            watch=self.reach,
            log=self.kafka,
            processor=type("Processor", (Staged,), here),
            adapter=type(adapter.__name__, (adapter,), here),
        )
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

    @property
    def bridge(self) -> Staged:
        """The bridge itself, past its address, to look at."""
        assert self.running
        return self.running.bridge.actor  # type: ignore[no-any-return]

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to do before time passes."""
        if self.base.mailbox:
            return True
        due = self.base.next_timer()
        return due is not None and due <= self.base.clock.monotonic()

    def next_event(self) -> float | None:
        """When its next timer is due, apart from looks that come again and again."""
        timers = self.base.timers()
        return next((t.due for t in timers if type(t.payload).__name__ != "_Sweep"), None)

    def run(self) -> None:
        """Let the actors do all that can be done without time passing."""
        if self.kafka:
            self.base.run_until(self._has_run)
        else:
            self.base.run_until_idle()
        self.rung = False
        if self.running and self.running.failure:
            raise self.running.failure

    def _has_run(self) -> bool:
        """Let the threads of Kafka's clients run between messages; whether nothing is left."""
        self.stage.between_messages()
        return not self.is_ready

    def ring(self) -> None:
        """Tell the bridge that records wait."""
        if self.running and not self.rung:
            self.rung = True
            self.base.inject(self.running.bridge, self.running.bridge, RecordsWaiting())

    def reach(self, point: str) -> None:
        """It has come to a point at which something may be planned."""
        self.stage.points.reach(point, self)

    def watch_messages(self) -> None:
        """See each message from now on, if something is planned between messages."""
        if self.stage.points.needs_mailbox and not isinstance(self.base.mailbox, WatchedMailbox):
            self.base.mailbox = WatchedMailbox(self.base.mailbox, self.reach)
            self.base.interceptor = self.base.interceptor  # whoever posts, posts to this one

    def meddle(self, interceptors: list[Interceptor]) -> None:
        """Show these each message that is sent."""
        self._interceptors = interceptors
        if interceptors:
            self.base.interceptor = self._intercept
        elif self.base.interceptor is not None:
            self.base.interceptor = None

    def pause(self, pass_time: Callable[[], None], *, whole: bool) -> None:
        """Stand still while time passes for all others."""
        if whole and self.kafka:
            self.kafka.fall_silent()
        self.paused = whole
        try:
            pass_time()
        finally:
            self.paused = False
        if whole:
            for runner in self.call_runners:
                runner.resume()
            if self.kafka:
                self.kafka.resume()

    def kill(self) -> None:
        """End it at once, as a power cut would: what is not committed is gone."""
        self.base.crash()
        if self.kafka:
            self.kafka.kill()
        self._let_go()

    def stop(self) -> None:
        """End it in good order: the batch in hand is committed."""
        stopped = self.running is not None and self.running.stop()
        if self.kafka:
            self.kafka.kill()  # what did not stop in time ends with its process
        self._let_go(in_good_order=stopped)

    def _call_runner(self) -> VirtualCalls:
        runner = VirtualCalls(self.stage, self)
        self.call_runners.append(runner)
        return runner

    def _let_go(self, *, in_good_order: bool = False) -> None:
        self.alive = False
        self.placed.clear()
        self.held.clear()
        while self.stores:
            self.stores.pop().close()
        while self.call_runners:
            self.call_runners.pop().close(in_good_order=in_good_order)

    def _intercept(
        self, sender: ActorAddress, receiver: ActorAddress, message: Any
    ) -> Iterable[Any] | None:
        messages: Iterable[Any] = (message,)
        for interceptor in self._interceptors:
            messages = [
                each for one in messages for each in interceptor(sender, receiver, one) or ()
            ]
        return messages
