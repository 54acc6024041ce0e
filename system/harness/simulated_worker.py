"""One life of a worker: from its start to its stop or crash."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs
from thespian.actors import ActorAddress

from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.services.service import Service
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.store import Store
from order_sagas.system.bootstrap import Parts
from order_sagas.system.harness.clock import WorkerClock
from order_sagas.system.harness.crashes import WatchedMailbox
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.record_faults import Trip
from order_sagas.system.harness.staged_processor import StagedProcessor
from order_sagas.system.harness.virtual_calls import VirtualCalls
from order_sagas.system.harness.virtual_worker import VirtualWorker
from order_sagas.system.runtime import Policy
from order_sagas.system.runtime.base import Interceptor

if TYPE_CHECKING:
    from order_sagas.system.harness.simulated_client import SimulatedClient

SWEEPS = ("_Sweep",)
ENDLESS = (*SWEEPS, "LookAtSchedules")
"""Classes of wakeups that are set again and again, so that they say nothing of work to come."""


class Worker(VirtualWorker):
    """A worker in an environment. Its methods raise Crashed at a planned crash.

    Workers are numbered from 0; a restarted worker keeps its number and its clock.
    """

    def __init__(
        self,
        stage: Stage,
        number: int,
        clock: WorkerClock,
        parts: Parts,
        policy: Policy,
        interceptors: list[Interceptor],
    ) -> None:
        super().__init__(clock, policy)
        self.stage = stage
        self.number = number
        self.alive = True
        self.busy = False
        """True while one of its methods runs, also if it is paused in there."""
        self.paused = False
        """True while its whole process is paused, including the threads of its Kafka client."""
        self.rung = False
        """True if the batch processor was notified of records since it was last idle."""
        self.services: dict[str, ActorAddress] = {}
        self.placed: list[Outgoing] = []
        """Outgoing records of the open batch."""
        self.held: list[Trip] = []
        """Outgoing records of the open batch that a fault delays."""
        self.stores: list[Store] = []
        """Its open stores."""
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
            processor=type("Processor", (StagedProcessor,), here),
            adapter=type(adapter.__name__, (adapter,), here),
        )
        self._interceptors = interceptors

    def begin(self) -> None:
        """Create the actors, and let them restore their state from the database."""
        self.watch_messages()
        self.meddle(self._interceptors)
        self.start(self.parts)
        for view in self.base.actors():
            if issubclass(view.actor_class, Service):
                self.services[view.actor_class.participant.name] = view.address
        self.run()

    @property
    def processor(self) -> StagedProcessor:
        """The batch processor itself, not its address, for inspection."""
        assert self.running
        return self.running.processor.actor  # type: ignore[no-any-return]

    @property
    def is_ready(self) -> bool:
        """True if there is a message or a due timer."""
        if self.base.mailbox:
            return True
        due = self.base.next_timer()
        return due is not None and due <= self.base.clock.monotonic()

    def next_event(self, without: tuple[str, ...]) -> float | None:
        """Return when its next timer is due, except for wakeups of these classes."""
        timers = self.base.timers()
        return next((t.due for t in timers if type(t.payload).__name__ not in without), None)

    def run(self) -> None:
        """Let the actors do everything that needs no time to pass."""
        if self.kafka:
            self.base.run_until(self._has_run)
        else:
            self.base.run_until_idle()
        self.rung = False
        self.raise_failure()

    def _has_run(self) -> bool:
        """Run the threads of Kafka clients between messages; return True if nothing is left."""
        self.stage.between_messages()
        return not self.is_ready

    def ring(self) -> None:
        """Notify the batch processor of waiting records."""
        if self.running and not self.rung:
            self.rung = True
            self.notify()

    def reach(self, point: str) -> None:
        """Report a point to `CrashPoints`."""
        self.stage.points.reach(point, self)

    def watch_messages(self) -> None:
        """Install a `WatchedMailbox` if an action is planned between messages."""
        if self.stage.points.needs_mailbox and not isinstance(self.base.mailbox, WatchedMailbox):
            self.base.mailbox = WatchedMailbox(self.base.mailbox, self.reach)
            self.base.interceptor = self.base.interceptor  # posts to the new mailbox from now on

    def meddle(self, interceptors: list[Interceptor]) -> None:
        """Set the interceptors of messages."""
        self._interceptors = interceptors
        if interceptors:
            self.base.interceptor = self._intercept
        elif self.base.interceptor is not None:
            self.base.interceptor = None

    def pause(self, pass_time: Callable[[], None], *, whole: bool) -> None:
        """Pause the process (or only its event loop, if not `whole`) during `pass_time`."""
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
        """End it at once, like a power failure: everything uncommitted is lost."""
        self.base.crash()
        if self.kafka:
            self.kafka.kill()
        self._let_go()

    def stop(self) -> None:
        """Stop it in good order: the current batch is committed."""
        stopped = self.running is not None and self.running.stop()
        if self.kafka:
            self.kafka.kill()  # a client that did not stop in time ends with its process
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
