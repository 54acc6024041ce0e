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
"""Called with sender, receiver and message.

Returns the messages to deliver instead; an empty iterable or None drops the message.
"""

EXTERNAL_NAME = "System:ExternalRequester"

# Seconds that `shutdown` waits for an actor that is inside a handler.
_PATIENCE = 10.0


class EventLoopBase(Lifecycle):
    """The system base: pass one to `thespian.actors.ActorSystem`.

    Messages from one sender to one receiver are delivered in order; the policy decides how such
    pairs interleave. Timers fire by due time, ties in the order they were set. If a handler raises,
    the message is delivered once more at once; if that fails too, the sender gets a PoisonMessage.
    Messages are passed by reference.

    If `threaded`, a daemon thread runs the actors. Otherwise they run only while the driving thread
    (the one that created this object, or the last to call a `run_...` method) is inside `tell`,
    `ask`, `listen`, `advance` or a `run_...` method; other threads may send messages at any time,
    which wakes it. A VirtualClock needs `threaded=False`: it moves only in `advance`, and while
    `ask`, `listen` or `run_forever` wait. A primary actor is constructed in the thread that calls
    `newPrimaryActor`.

    `capabilities` are copied, and Thespian's own are added.
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

    # The interface that ActorSystem calls; Thespian defines the names.

    @property
    def systemAddress(self) -> ActorAddress:
        """The address of the system itself, which answers status requests."""
        return self.root

    def newPrimaryActor(
        self,
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        """Create an actor directly below the system, or return the one with this global name.

        Raises any exception of its constructor, NoCompatibleSystemForActor if its capability check
        fails, and ActorSystemFailure after `shutdown`.
        """
        if self._closing:
            raise ActorSystemFailure("the actor system has been shut down")
        return self.create_primary(actor_class, requirements, global_name, source_hash)

    def tell(self, address: ActorAddress, message: Any) -> None:
        """Send a message. In the driving thread, also run the system until it is idle."""
        self._port.tell(address, message)

    def ask(self, address: ActorAddress, message: Any, timeout: Any = None) -> Any:
        """Send a message, and return the next response; None if there is none within `timeout`."""
        return self._port.ask(address, message, timeout)

    def listen(self, timeout: Any = None) -> Any:
        """Return the next response from any actor; None if there is none within `timeout`."""
        return self._port.listen(timeout)

    def external_clone(self) -> PrivateContext:
        """Return a separate requester with its own responses, for use by one thread."""
        with self.creating:
            self._private_count += 1
            return PrivateContext(self, f"{EXTERNAL_NAME}:{self._private_count}")

    def shutdown(self) -> None:
        """Ask every actor to exit, children first, and wait until all have exited.

        Messages sent earlier are still handled. If an actor stays in a handler for longer than ten
        seconds, a warning is logged and the system is closed without it. Called inside an actor,
        this returns at once, and the system ends later.
        """
        self.begin_shutdown()
        if self.running_here():
            return
        if self._driving.acquire(timeout=_PATIENCE):
            # No thread drives the loop: it has ended, or this thread has to end it.
            self._driving.release()
            self._stopping = False
            self.run_until(lambda: self.closed)
        if not self.closed:
            log.warning("runtime.shutdown_gave_up", actors=len(self.actors()))
            self.crash()

    # Inspection and fault injection.

    @property
    def interceptor(self) -> Interceptor | None:
        """Function that is called for each message from an actor or from outside; None for none.

        It gets sender, receiver and message, and returns the messages to deliver instead; an empty
        iterable or None drops the message. It is not called for wakeups and the system's own
        messages. None costs nothing.
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
        """Put a message from `sender` into the mailbox, bypassing the interceptor."""
        self.post_system(self.resolve(receiver), self.resolve(sender), message)

    def pending(self) -> list[PendingMessage]:
        """Return the messages that are not delivered yet."""
        return pending(self)

    def timers(self) -> list[TimerView]:
        """Return the timers that are set, in the order in which they will fire."""
        return timers(self)

    def actors(self) -> list[ActorView]:
        """Return all actors that have not exited, parents before their children."""
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
