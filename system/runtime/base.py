"""A Thespian system base that runs all actors of a process on one event loop."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from thespian.actors import ActorAddress, ActorSystemFailure, ThespianGeneration

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.system.runtime.external_port import Port, PrivateContext
from order_sagas.system.runtime.introspection import (
    ActorView,
    PendingMessage,
    TimerView,
    actors,
    pending,
    timers,
)
from order_sagas.system.runtime.lifecycle import Lifecycle
from order_sagas.system.runtime.policies import Envelope, Fifo, Policy

log = structlog.get_logger()

Interceptor = Callable[[ActorAddress, ActorAddress, Any], Iterable[Any] | None]
"""Called with sender, receiver, message; returns the messages to deliver in its place, or None."""

EXTERNAL_NAME = "System:ExternalRequester"

# How long `shutdown` waits for an actor that is stuck in a handler, in seconds.
_PATIENCE = 10.0


class EventLoopBase(Lifecycle):
    """The system base: pass one to `thespian.actors.ActorSystem`.

    Messages from one sender to one receiver are delivered in order; how such pairs interleave is
    the policy's choice. Timers fire by due time, ties in the order they were set. A message that
    makes its receiver raise is delivered once more, at once, and then goes back to its sender as a
    PoisonMessage. Messages are passed by reference.

    With `threaded`, a daemon thread runs the actors. Without, they run only while the driving
    thread (the one that made this object, or the last to call a `run_...` method) is inside `tell`,
    `ask`, `listen`, `advance` or a `run_...` method; other threads may send at any time, and wake
    it. A VirtualClock needs `threaded=False`: it moves only by `advance`, and while `ask`, `listen`
    or `run_forever` wait. Primary actors are constructed by the thread that creates them.

    `capabilities` are copied; Thespian's own are added.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        policy: Policy | None = None,
        threaded: bool = True,
        capabilities: dict[str, Any] | None = None,
    ) -> None:
        clock = clock if clock is not None else SystemClock()
        super().__init__(
            clock,
            policy if policy is not None else Fifo(),
            threaded,
            {**(capabilities or {}), **_thespian_capabilities(clock)},
        )
        self._interceptor: Interceptor | None = None
        self._private_count = 0
        self._port = Port(self, EXTERNAL_NAME)
        if threaded:
            self.start_thread()

    # What ActorSystem calls; the names are Thespian's.

    @property
    def systemAddress(self) -> ActorAddress:
        """Where the system itself receives, status requests for instance."""
        return self.root

    def newPrimaryActor(
        self,
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        """A new actor right under the system, or the one that already has the global name.

        Raises what constructing it raises, NoCompatibleSystemForActor if it refuses the system's
        capabilities, and ActorSystemFailure once the system is shut down.
        """
        if self._closing:
            raise ActorSystemFailure("the actor system has been shut down")
        return self.create_primary(actor_class, requirements, global_name, source_hash)

    def tell(self, address: ActorAddress, message: Any) -> None:
        """See `Port.tell`."""
        self._port.tell(address, message)

    def ask(self, address: ActorAddress, message: Any, timeout: Any = None) -> Any:
        """See `Port.ask`."""
        return self._port.ask(address, message, timeout)

    def listen(self, timeout: Any = None) -> Any:
        """See `Port.listen`."""
        return self._port.listen(timeout)

    def external_clone(self) -> PrivateContext:
        """Another requester, for one thread."""
        with self.creating:
            self._private_count += 1
            return PrivateContext(self, f"{EXTERNAL_NAME}:{self._private_count}")

    def shutdown(self) -> None:
        """Ask every actor to exit, children first, and return when they have.

        Messages sent before are still handled. An actor that stays in a handler for longer than
        ten seconds is given up, with a warning. Called by an actor, it returns at once and the
        system ends behind it.
        """
        self.begin_shutdown()
        if self.running_here():
            return
        if self._driving.acquire(timeout=_PATIENCE):
            # Nobody drives: the loop has ended by itself, or it is up to this thread to end it.
            self._driving.release()
            self._stopping = False
            self.run_until(lambda: self.closed)
        if not self.closed:
            log.warning("runtime.shutdown_gave_up", actors=len(self.actors()))
            self.crash()

    # Looking in, and meddling.

    @property
    def interceptor(self) -> Interceptor | None:
        """Called on each send by an actor or from outside, if set; None costs nothing.

        It gets sender, receiver and message and returns the messages to deliver in its place:
        none (or None) drops it. What the system itself sends, and wakeups, are not shown to it.
        """
        return self._interceptor

    @interceptor.setter
    def interceptor(self, interceptor: Interceptor | None) -> None:
        self._interceptor = interceptor
        if not self.closed:
            self.post = self.mailbox.append if interceptor is None else self._post_intercepted

    def _post_intercepted(self, envelope: Envelope) -> None:
        receiver, sender, message = envelope
        if self._interceptor is not None:
            for each in self._interceptor(sender, receiver, message) or ():
                self.mailbox.append((receiver, sender, each))

    def inject(self, sender: ActorAddress, receiver: ActorAddress, message: Any) -> None:
        """Put a message into the mailbox past the interceptor, as if `sender` had sent it."""
        self.post_system(self.resolve(receiver), self.resolve(sender), message)

    def pending(self) -> list[PendingMessage]:
        """The messages that wait for delivery."""
        return pending(self)

    def timers(self) -> list[TimerView]:
        """The wakeups still to come, in the order in which they will fire."""
        return timers(self)

    def actors(self) -> list[ActorView]:
        """The living actors, parents before their children."""
        return actors(self)


def _thespian_capabilities(clock: Clock) -> dict[str, Any]:
    return {
        "Python Version": tuple(sys.version_info),
        "Thespian Generation": ThespianGeneration,
        "Thespian Version": str(int(clock.now() * 1000)),
        "Thespian ActorSystem Name": "eventLoop",
        "Thespian ActorSystem Version": 1,
        "Thespian Watch Supported": False,
        "AllowRemoteActorSources": "No",
    }
