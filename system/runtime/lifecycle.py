"""Failure and exit of actors, and messages that cannot be delivered or handled."""

import sys
import traceback
from typing import Any

import structlog
from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    Thespian_StatusReq,
    WakeupMessage,
)

from order_sagas.actors.clock import Clock
from order_sagas.system.runtime.cell import Cell
from order_sagas.system.runtime.external_port import Endpoint
from order_sagas.system.runtime.introspection import actor_status, living_below, walk
from order_sagas.system.runtime.policies import Envelope, Policy
from order_sagas.system.runtime.source_loading import Sources
from order_sagas.system.runtime.system_endpoints import Exiting, SystemEndpoint
from order_sagas.system.runtime.timers import TimerHeap
from order_sagas.system.runtime.tree import Tree

log = structlog.get_logger()


class Lifecycle(Tree):
    """Implements Thespian's rules for failing and exiting actors."""

    def __init__(
        self, clock: Clock, policy: Policy, threaded: bool, capabilities: dict[str, Any]
    ) -> None:
        super().__init__(clock, policy, threaded, capabilities)
        self.capabilities = capabilities
        self.dead_letter_handler: Cell | None = None
        self.sources = Sources(self)
        self.root.actor = SystemEndpoint(self)

    # Requests of actors to their system; Thespian defines the names.

    def updateCapability(self, name: str, value: Any = None) -> None:
        """Set a capability, or remove it with None."""
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value

    def loadActorSource(self, file: Any) -> str:
        """Load a source, and return its hash. Outside of an actor, waits for the authority."""
        source_hash = self.sources.load(file)
        self.settle()
        return source_hash

    def unloadActorSource(self, source_hash: str) -> None:
        """Remove a source and the modules imported from it; an unknown hash is ignored."""
        self.sources.unload(source_hash)
        self.factory.forget_classes()

    def _handleDeadLetters(self, address: ActorAddress, enable: bool) -> None:
        cell = self.resolve(address)
        if enable:
            self.dead_letter_handler = cell
        elif self.dead_letter_handler is cell:
            self.dead_letter_handler = None

    # Failure.

    def retry(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deliver a failed message again, at once to keep the order; then send a PoisonMessage."""
        actor = receiver.actor
        if actor is None:  # the handler that failed called `crash`
            return
        about = {
            "actor": str(receiver),
            "cls": type(actor).__name__,
            "message_type": type(message).__name__,
        }
        log.warning("actor.message_failed", error=repr(sys.exc_info()[1]), **about)
        try:
            actor.receiveMessage(message, sender)
        except Exception:
            details = traceback.format_exc()
            log.error("actor.message_poisoned", exception=details, **about)
            if not isinstance(message, PoisonMessage):
                self.post_system(sender, receiver, PoisonMessage(message, details))
        except SystemExit:
            self.quit(receiver)

    def undeliverable(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Send a message for a dead actor to the handler of dead letters, in a DeadEnvelope.

        The system's own messages are dropped: exits of children, DeadEnvelopes, wakeups.
        """
        handler = self.dead_letter_handler
        if handler is not None and not isinstance(
            message, (ChildActorExited, DeadEnvelope, WakeupMessage)
        ):
            self.post_system(handler, sender, DeadEnvelope(receiver, message))

    # Exit.

    def deliver_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deliver one of Thespian's system messages to a living actor or an endpoint."""
        actor = receiver.actor
        if isinstance(actor, Endpoint):
            actor.receiveMessage(message, sender)
        elif isinstance(message, ActorExitRequest):
            self._exit(receiver, sender, message)
        elif isinstance(message, Thespian_StatusReq):
            self.post_system(sender, receiver, actor_status(self, receiver))
        else:
            try:
                actor.receiveMessage(message, sender)
            except Exception:
                self.retry(receiver, sender, message)
            except SystemExit:
                self.quit(receiver)

    def _exit(self, cell: Cell, sender: Cell, request: ActorExitRequest) -> None:
        if cell.rarities is not None and cell.rarities.exiting:
            return
        try:
            cell.actor.receiveMessage(request, sender)
        except (Exception, SystemExit):
            log.warning("actor.exit_failed", actor=str(cell), exception=traceback.format_exc())
        # Checked after the handler, which may create children or clear `isRecursive`.
        if cell.children and request.isRecursive:
            self.quit(cell)
        else:
            self.end_at_once(cell)

    def quit(self, cell: Cell) -> None:
        """End an actor, its children first. `sys.exit` in an actor has the same effect."""
        children = living_below(cell)
        if not children:
            self.end_at_once(cell)
        elif cell.actor is not None:
            cell.rare().exiting = True
            cell.actor = Exiting(self, cell, cell.actor)
            for child in children:
                self.post_system(child, cell, ActorExitRequest())

    def end_at_once(self, cell: Cell) -> None:
        """End an actor at once, and remove its timers and registrations.

        Its remaining children keep running.
        """
        if cell.actor is None:
            return
        cell.actor = None
        self.timer_heap.forget(cell)
        if cell is self.dead_letter_handler:
            self.dead_letter_handler = None
        if cell.rarities is not None:
            if cell.rarities.name is not None:
                self.names.pop(cell.rarities.name, None)
            if cell.rarities.notified:
                self.sources.forget(cell)
        above = self._leave_tree(cell)
        if above is None or above is cell.parent or above.children:
            return
        if isinstance(above.actor, Exiting):
            # It waited for a descendant of a dead child, for which it gets no ChildActorExited.
            self.end_at_once(above)

    def end(self) -> None:
        """Close the system after every actor has exited; unloads all sources."""
        for source_hash in list(self.sources.loaded):
            self.sources.unload(source_hash)
        self.crash()

    def begin_shutdown(self) -> None:
        """Ask every actor to exit, and the loop to end after that. Does not wait."""
        if not self._closing:
            for cell in living_below(self.root):
                self.post_system(cell, self.root, ActorExitRequest())
            self._closing = True
        self._wakes.put(None)

    def crash(self) -> None:
        """Close the system at once, like a killed process: no actor is notified or runs again.

        Messages and timers are dropped. Safe in any thread; a handler that is running finishes, but
        the messages it sends are dropped.
        """
        self.closed = self._closing = True
        self.post = _forget
        self.mailbox.clear()
        for cell in list(walk(self.root)):
            cell.actor = cell.children = None
        self.root.children = None
        # A new heap, since the loop may be iterating over the old one.
        self.timer_heap = TimerHeap()
        self.names.clear()
        self.dead_letter_handler = None
        for port in list(self.ports.values()):
            port.actor.close()
        while self._settlers:
            self._settlers.pop().set()
        self._wakes.put(None)


def _forget(envelope: Envelope) -> None:
    """Drop a message: the system is closed."""
