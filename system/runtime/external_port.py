"""Ports: how code outside of actors sends and receives messages (`tell`, `ask`, `listen`)."""

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from thespian.actors import ActorAddress
from thespian.system import isInternalActorSystemMessage
from thespian.system.timing import timePeriodSeconds

from order_sagas.system.runtime.cell import Cell, System

CLOSED = object()
"""Put into the queue of responses when the system closes, to end a waiting `listen`."""


class PortSystem(System, Protocol):
    """The part of `EventLoopBase` that ports use."""

    def may_drive(self) -> bool:
        """Return True if this thread has to run the actors, and is not inside one of them."""
        ...

    def refuse_to_wait(self) -> None:
        """Raise ActorSystemFailure inside an actor, where waiting would block the loop."""
        ...

    def run_until_idle(self) -> int:
        """Deliver all ready messages and fire all due timers; return the number of messages."""
        ...

    def run_until(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Run the actors until `done()` is true or `seconds` have passed; return `done()`."""
        ...

    def newPrimaryActor(
        self,
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        """Create an actor directly below the system, or return the one with this global name."""
        ...


class Endpoint:
    """A receiver that is not an actor and does not exit; it takes an actor's place in a cell."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message; by default it is dropped."""


class Responses(Endpoint):
    """Queue of the messages that actors have sent to a port."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Queue a message, unless it is one of Thespian's internal messages."""
        if not isInternalActorSystemMessage(message):
            self.queue.put(message)

    def close(self) -> None:
        """End a waiting `listen`."""
        self.queue.put(CLOSED)


class Port:
    """A requester outside of the actors, with its own address and its own responses.

    The port of an ActorSystem is shared by all users of that object; Thespian's `private()` creates
    others, each for use by one thread.
    """

    def __init__(self, base: PortSystem, name: str) -> None:
        self._base = base
        self._responses = Responses()
        self.cell = Cell(base, None, name)
        self.cell.actor = self._responses
        base.ports[name] = self.cell

    def tell(self, address: ActorAddress, message: Any) -> None:
        """Send a message. In the driving thread, also run the system until it is idle."""
        self.cell.actor_send(address, message)
        if self._base.may_drive():
            self._base.run_until_idle()

    def ask(self, address: ActorAddress, message: Any, timeout: Any = None) -> Any:
        """Send a message, then `listen`."""
        self.cell.actor_send(address, message)
        return self.listen(timeout)

    def listen(self, timeout: Any = None) -> Any:
        """Return the next response from any actor; None if there is none within `timeout`.

        Raises ActorSystemFailure if called inside an actor, where the wait would block the loop.
        """
        seconds = None if timeout is None else max(0.0, timePeriodSeconds(timeout))
        responses = self._responses.queue
        if self._base.may_drive():
            self._base.run_until(lambda: not responses.empty(), seconds)
            seconds = 0.0
        else:
            self._base.refuse_to_wait()
        try:
            if self._base.closed:
                seconds = 0.0
            elif seconds is not None:
                seconds = min(seconds, threading.TIMEOUT_MAX)
            response = responses.get(timeout=seconds)
        except queue.Empty:
            return None
        return None if response is CLOSED else response


class PrivateContext(Port):
    """The context of Thespian's `private()`."""

    def newPrimaryActor(self, *args: Any) -> ActorAddress:
        """Create an actor directly below the system, or return the one with this global name."""
        return self._base.newPrimaryActor(*args)

    def exit_context(self) -> None:
        """Close this context: later messages to it are dead letters."""
        self.cell.actor = None
        self._base.ports.pop(str(self.cell.number), None)
