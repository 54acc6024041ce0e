"""What becomes of an actor from its making to its exit, and of messages that cannot be handled."""

import sys
import threading
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
    ValidatedSource,
    WakeupMessage,
)

from actors.clock import Clock
from system.runtime.cell import PRIMARY_PREFIX, Cell, Children
from system.runtime.creation import Factory
from system.runtime.external import Endpoint
from system.runtime.introspection import actor_status, living_below, system_status, walk
from system.runtime.loop import EventLoop
from system.runtime.policies import Envelope, Policy
from system.runtime.sources import Sources

log = structlog.get_logger()

SYSTEM_NAME = "/ActorSys"


class Lifecycle(EventLoop):
    """The tree of actors, and Thespian's rules for how they come, fail and go."""

    def __init__(
        self, clock: Clock, policy: Policy, threaded: bool, capabilities: dict[str, Any]
    ) -> None:
        super().__init__(clock, policy, threaded)
        self.capabilities = capabilities
        self.names: dict[str, Cell] = {}
        self.ports: dict[str, Cell] = {}
        self.dead_letter_handler: Cell | None = None
        self.root = Cell(self, None, SYSTEM_NAME)
        self.root.actor = SystemEndpoint(self)
        self.sources = Sources(self)
        self.factory = Factory(capabilities, self.sources.loaded)
        self._plain = self.factory.plain
        # Primary actors are made by whatever thread asks for them.
        self.creating = threading.RLock()

    # Coming.

    def create_child(
        self,
        parent: Cell,
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> Cell:
        """A new child, or the actor that already has the global name.

        If it cannot be made, its parent is told by ChildActorExited; only an ImportError is raised.
        A parent that is exiting, or dead, gets the address of a child that never lived.
        """
        if (
            actor_class in self._plain
            and parent.rarities is None
            and global_name is None
            and source_hash is None
            and parent.actor is not None
        ):
            cell = self._new_cell(parent)
            try:
                actor = actor_class()
            except Exception:
                self._stillborn(cell, actor_class)
            else:
                actor._myRef = cell
                cell.actor = actor
            return cell

        rare = parent.rarities
        if parent.actor is None or (rare is not None and rare.exiting):
            return Cell(self, None, f"{parent.addressDetails}~unborn")
        if source_hash is None and rare is not None:
            source_hash = rare.source_hash
        with self.creating:
            if global_name and global_name in self.names:
                return self.names[global_name]
            cell = self._new_cell(parent)
            try:
                self._bring_to_life(cell, actor_class, requirements, global_name, source_hash)
            except ImportError:
                self._remove(cell)
                raise
            except Exception:
                self._stillborn(cell, actor_class)
            return cell

    def create_primary(
        self, actor_class: Any, requirements: Any, global_name: str | None, source_hash: str | None
    ) -> Cell:
        """A new actor right under the system, or the one that already has the global name.

        Raises whatever kept it from being made.
        """
        with self.creating:
            if global_name and global_name in self.names:
                return self.names[global_name]
            cell = self._new_cell(self.root)
            try:
                self._bring_to_life(cell, actor_class, requirements, global_name, source_hash)
            except BaseException:
                self._remove(cell)
                raise
            return cell

    def _new_cell(self, parent: Cell) -> Cell:
        # Numbered and registered before its actor is made, so that an `__init__` that fails has
        # an address to be reported by.
        children = parent.children
        if children is None:
            children = parent.children = Children()
        number = children.born
        children.born = number + 1
        cell = children[number] = Cell(self, parent, number)
        return cell

    def _bring_to_life(
        self,
        cell: Cell,
        actor_class: Any,
        requirements: Any,
        global_name: str | None,
        source_hash: str | None,
    ) -> None:
        actor = self.factory.create(actor_class, requirements, source_hash)
        actor._myRef = cell
        cell.actor = actor
        if global_name:
            cell.rare().name = global_name
            self.names[global_name] = cell
        if source_hash:
            cell.rare().source_hash = source_hash

    def _stillborn(self, cell: Cell, actor_class: Any) -> None:
        log.warning(
            "actor.not_created",
            actor=str(cell),
            cls=str(actor_class),
            exception=traceback.format_exc(),
        )
        self._leave_tree(cell)

    # Finding.

    def resolve(self, address: ActorAddress) -> Cell:
        """The cell that an address names: itself, or what a copy of it is a copy of.

        An address that names nothing here gets a cell of its own, dead from the beginning.
        """
        if address.__class__ is Cell:
            return address
        name = address.actorAddressString
        if name == SYSTEM_NAME:
            return self.root
        return self.ports.get(name) or self._look_up(name) or Cell(self, None, name)

    def _look_up(self, name: str) -> Cell | None:
        prefix, *numbers = name.split("~")
        if prefix != PRIMARY_PREFIX or not numbers:
            return None
        cell: Cell | None = self.root
        for number in numbers:
            children = cell.children if cell is not None else None
            cell = children.get(int(number)) if children and number.isdecimal() else None
        return cell

    # What actors ask of their system; the names are Thespian's.

    def updateCapability(self, name: str, value: Any = None) -> None:
        """Set a capability, or remove it with None."""
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value

    def loadActorSource(self, file: Any) -> str:
        """See `Sources.load`; outside of an actor, waits until the authority has answered."""
        source_hash = self.sources.load(file)
        self.settle()
        return source_hash

    def unloadActorSource(self, source_hash: str) -> None:
        """See `Sources.unload`."""
        self.sources.unload(source_hash)
        self.factory.forget_classes()

    def _handleDeadLetters(self, address: ActorAddress, enable: bool) -> None:
        cell = self.resolve(address)
        if enable:
            self.dead_letter_handler = cell
        elif self.dead_letter_handler is cell:
            self.dead_letter_handler = None

    # Failing.

    def retry(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deliver once more, at once so that order is kept; then it is poison to its sender."""
        actor = receiver.actor
        if actor is None:  # a crash, from within the handler that failed
            return
        about = {
            "actor": str(receiver),
            "cls": type(actor).__name__,
            "message": type(message).__name__,
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
            self.bury(receiver)

    def undeliverable(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Give a message for a dead actor to whoever handles dead letters, in a DeadEnvelope.

        Not what a system says to itself: exits of children, envelopes, wakeups of the dead.
        """
        handler = self.dead_letter_handler
        if handler is not None and not isinstance(
            message, (ChildActorExited, DeadEnvelope, WakeupMessage)
        ):
            self.post_system(handler, sender, DeadEnvelope(receiver, message))

    def post_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Send on the system's own behalf, past the interceptor."""
        system = receiver.base
        if not system.closed:
            system.mailbox.append((receiver, sender, message))
            system.wake()

    # Going.

    def deliver_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
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
                self.bury(receiver)

    def _exit(self, cell: Cell, sender: Cell, request: ActorExitRequest) -> None:
        if isinstance(cell.actor, Exiting):
            return
        try:
            cell.actor.receiveMessage(request, sender)
        except (Exception, SystemExit):
            log.warning("actor.exit_failed", actor=str(cell), exception=traceback.format_exc())
        # Looked at after the handler ran: it may have created children, or spared them.
        children = living_below(cell) if cell.children and request.isRecursive else ()
        if not children:
            self.bury(cell)
        elif cell.actor is not None:
            cell.rare().exiting = True
            cell.actor = Exiting(self, cell, cell.actor)
            for child in children:
                self.post_system(child, cell, ActorExitRequest())

    def bury(self, cell: Cell) -> None:
        """End an actor: it, its timers and what it was registered for are gone at once.

        Children that are left stay where they are.
        """
        if cell.actor is None:
            return
        cell.actor = None
        self.timer_heap.forget(cell)
        if cell is self.dead_letter_handler:
            self.dead_letter_handler = None
        if cell.rarities is not None:
            if cell.rarities.name is not None:
                del self.names[cell.rarities.name]
            if cell.rarities.notified:
                self.sources.forget(cell)
        self._leave_tree(cell)

    def _leave_tree(self, cell: Cell) -> None:
        """Take a dead cell out, with its dead ancestors for whom it was the last descendant."""
        parent = cell.parent
        if parent is not None and parent.actor is not None and parent is not self.root:
            # From the child itself: no policy may let it overtake what the child sent before.
            self.post_system(parent, cell, ChildActorExited(cell))
        while not cell.children and parent is not None:
            self._remove(cell)
            if parent.actor is not None:
                return
            cell, parent = parent, parent.parent

    def _remove(self, cell: Cell) -> None:
        siblings = cell.parent.children if cell.parent is not None else None
        if siblings is not None:
            siblings.pop(int(cell.number), None)

    def all_gone(self) -> bool:
        return not self.root.children

    def end(self) -> None:
        for source_hash in list(self.sources.loaded):
            self.sources.unload(source_hash)
        self.crash()

    def begin_shutdown(self) -> None:
        """Ask every actor to exit, and the loop to end when they have; does not wait."""
        if not self._closing:
            for cell in living_below(self.root):
                self.post_system(cell, self.root, ActorExitRequest())
            self._closing = True
        self._wakes.put(None)

    def crash(self) -> None:
        """End everything at once: no actor runs again, messages and timers are gone.

        What a killed process leaves behind: nothing is told to anybody. Safe from any thread; a
        handler that is running comes to its end, but what it sends is dropped.
        """
        self.closed = self._closing = True
        self.post = _forget
        self.mailbox.clear()
        for cell in list(walk(self.root)):
            cell.actor = cell.children = None
        self.root.children = None
        self.timer_heap.clear()
        self.names.clear()
        self.dead_letter_handler = None
        for port in list(self.ports.values()):
            port.actor.close()
        while self._settlers:
            self._settlers.pop().set()
        self._wakes.put(None)


class SystemEndpoint(Endpoint):
    """What the system's own address answers."""

    def __init__(self, system: Lifecycle) -> None:
        self._system = system

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Thespian_StatusReq):
            system = self._system
            system.post_system(sender, system.root, system_status(system))
        elif isinstance(message, ValidatedSource):
            self._system.sources.validated(message)


class Exiting:
    """Stands in for an actor that waits for its children to exit before it does."""

    def __init__(self, system: Lifecycle, cell: Cell, actor: Any) -> None:
        self._system = system
        self._cell = cell
        self.waiting = actor

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Let the actor hear of its children; anything else comes too late for it."""
        if isinstance(message, ChildActorExited):
            try:
                self.waiting.receiveMessage(message, sender)
            except (Exception, SystemExit):
                log.warning(
                    "actor.exit_failed", actor=str(self._cell), exception=traceback.format_exc()
                )
            if not self._cell.children:
                self._system.bury(self._cell)
        else:
            self._system.undeliverable(self._cell, sender, message)


def _forget(envelope: Envelope) -> None:
    """What becomes of a message when the system is gone."""
