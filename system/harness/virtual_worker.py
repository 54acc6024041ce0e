"""One life of a worker on virtual time: an event loop without threads, and the actors on it."""

from thespian.actors import ActorSystem

from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.running_system import RunningSystem
from order_sagas.system.runtime import EventLoopBase, Policy, VirtualClock


class VirtualWorker:
    """A worker that runs only when `run` is called."""

    running: RunningSystem | None = None
    """None until the actors are created."""

    def __init__(self, clock: VirtualClock, policy: Policy | None = None) -> None:
        self.base = EventLoopBase(clock, policy, threaded=False)

    def start(self, parts: Parts) -> None:
        """Create the actors; their first messages are handled by `run`."""
        self.running = start(parts, ActorSystem(self.base, transientUnique=True))

    def notify(self) -> None:
        """Notify the batch processor, if there is one, that records are waiting."""
        if self.running:
            self.base.inject(self.running.processor, self.running.processor, RecordsWaiting())

    def run(self) -> None:
        """Do everything that needs no time to pass.

        Raises the error that ended the worker, if any.
        """
        self.base.run_until_idle()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise the error that ended the worker, if any."""
        if self.running and self.running.failure:
            raise self.running.failure
