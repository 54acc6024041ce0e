"""The way in and out for code that is not an actor: `tell`, `ask`, `listen`."""

import queue
import threading
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress
from thespian.system import isInternalActorSystemMessage
from thespian.system.timing import timePeriodSeconds

from order_sagas.system.runtime.cell import Cell

if TYPE_CHECKING:
    from order_sagas.system.runtime.base import EventLoopBase

CLOSED = object()
"""Put among the responses when the system is gone, so that whoever waits stops waiting."""


class Endpoint:
    """Stands where an actor would, for receivers that are not actors and cannot be ended."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Take the message; the default forgets it."""


class Responses(Endpoint):
    """Keeps what actors sent to an outside requester until it is asked for."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if not isInternalActorSystemMessage(message):
            self.queue.put(message)

    def close(self) -> None:
        """Let go of whoever is waiting here."""
        self.queue.put(CLOSED)


class Port:
    """One outside requester: its own address, its own responses.

    The one of the ActorSystem is shared by all who use that object; `private()` makes others,
    each for one thread.
    """

    def __init__(self, base: "EventLoopBase", name: str) -> None:
        self._base = base
        self._responses = Responses()
        self.cell = Cell(base, None, name)
        self.cell.actor = self._responses
        base.ports[name] = self.cell

    def tell(self, address: ActorAddress, message: Any) -> None:
        """Send a message; from the driving thread, also run the system until it is idle."""
        self.cell.actor_send(address, message)
        if self._base.may_drive():
            self._base.run_until_idle()

    def ask(self, address: ActorAddress, message: Any, timeout: Any = None) -> Any:
        """Send a message, then `listen`."""
        self.cell.actor_send(address, message)
        return self.listen(timeout)

    def listen(self, timeout: Any = None) -> Any:
        """The next response, from any actor; None if none came within `timeout`.

        Raises ActorSystemFailure when called by an actor: the wait would never end, since nothing
        else can run meanwhile.
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
    """What Thespian's `private()` works on."""

    def newPrimaryActor(self, *args: Any) -> ActorAddress:
        return self._base.newPrimaryActor(*args)

    def exit_context(self) -> None:
        """Messages to this context are dead letters from now on."""
        self.cell.actor = None
        self._base.ports.pop(str(self.cell.number), None)
