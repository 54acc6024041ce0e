"""The tree of actors: creation, look-up and removal."""

import threading
import traceback
from typing import Any, cast

import structlog
from thespian.actors import ActorAddress, ChildActorExited

from order_sagas.actors.clock import Clock
from order_sagas.system.runtime.actor_factory import Factory
from order_sagas.system.runtime.cell import PRIMARY_PREFIX, Cell, Children, System
from order_sagas.system.runtime.loop import EventLoop
from order_sagas.system.runtime.policies import Policy

log = structlog.get_logger()

SYSTEM_NAME = "/ActorSys"


class Tree(EventLoop):
    """Every actor is a child of another actor or of the system, with a number in its parent."""

    def __init__(
        self, clock: Clock, policy: Policy, threaded: bool, capabilities: dict[str, Any]
    ) -> None:
        super().__init__(clock, policy, threaded)
        self.names: dict[str, Cell] = {}
        self.ports: dict[str, Cell] = {}
        self.root = Cell(cast(System, self), None, SYSTEM_NAME)
        self.loaded_sources: dict[str, bytes] = {}
        self.factory = Factory(capabilities, self.loaded_sources)
        self._plain = self.factory.plain
        # Any thread may create primary actors.
        self.creating = threading.RLock()

    def create_child(
        self,
        parent: Cell,
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> Cell:
        """Create a child, or return the actor that has the global name.

        If the creation fails, the parent gets a ChildActorExited; only an ImportError is raised. A
        parent that is exiting or dead gets the address of a dead child.
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
                self._creation_failed(cell, actor_class)
            else:
                actor._myRef = cell
                cell.actor = actor
            return cell

        rare = parent.rarities
        if parent.actor is None or (rare is not None and rare.exiting):
            return Cell(cast(System, self), None, f"{parent.addressDetails}~unborn")
        if source_hash is None and rare is not None:
            source_hash = rare.source_hash
        with self.creating:
            if global_name and global_name in self.names:
                return self.names[global_name]
            cell = self._new_cell(parent)
            try:
                self._create_actor(cell, actor_class, requirements, global_name, source_hash)
            except ImportError:
                self._remove(cell)
                raise
            except Exception:
                self._creation_failed(cell, actor_class)
            return cell

    def create_primary(
        self, actor_class: Any, requirements: Any, global_name: str | None, source_hash: str | None
    ) -> Cell:
        """Create an actor directly below the system, or return the one with this global name.

        Raises any exception of its creation.
        """
        with self.creating:
            if global_name and global_name in self.names:
                return self.names[global_name]
            cell = self._new_cell(self.root)
            try:
                self._create_actor(cell, actor_class, requirements, global_name, source_hash)
            except BaseException:
                self._remove(cell)
                raise
            return cell

    def _new_cell(self, parent: Cell) -> Cell:
        # Numbered and registered before the actor is created, so that a failing `__init__` can be
        # reported with an address.
        children = parent.children
        if children is None:
            children = parent.children = Children()
        number = children.born
        children.born = number + 1
        # No cast: a cast is a call, and this is the hot path.
        cell = children[number] = Cell(self, parent, number)  # type: ignore[arg-type]
        return cell

    def _create_actor(
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

    def _creation_failed(self, cell: Cell, actor_class: Any) -> None:
        log.warning(
            "actor.not_created",
            actor=str(cell),
            cls=str(actor_class),
            exception=traceback.format_exc(),
        )
        self._leave_tree(cell)

    # Look-up.

    def resolve(self, address: ActorAddress) -> Cell:
        """Return the cell of an address: itself, or the cell with the name of a copied address.

        An address that is unknown here gets a new, dead cell.
        """
        if address.__class__ is Cell:
            return address  # pyright: ignore[reportReturnType]  # not narrowed by `__class__`
        name = address.actorAddressString
        if name == SYSTEM_NAME:
            return self.root
        return self.ports.get(name) or self._look_up(name) or Cell(cast(System, self), None, name)

    def _look_up(self, name: str) -> Cell | None:
        prefix, *numbers = name.split("~")
        if prefix != PRIMARY_PREFIX or not numbers:
            return None
        cell: Cell | None = self.root
        for number in numbers:
            children = cell.children if cell is not None else None
            cell = children.get(int(number)) if children and number.isdecimal() else None
        return cell

    # Removal.

    def _leave_tree(self, cell: Cell) -> Cell | None:
        """Remove a dead cell, and dead ancestors whose last descendant it was.

        Returns the first ancestor that stays.
        """
        parent = cell.parent
        if parent is not None and parent.actor is not None and parent is not self.root:
            # Sent by the child itself, so that it cannot overtake earlier messages of the child.
            self.post_system(parent, cell, ChildActorExited(cell))
        while parent is not None and not cell.children:
            siblings = parent.children
            if siblings is not None:  # None after a crash
                siblings.pop(cell.number, None)  # type: ignore[arg-type]
            if parent.actor is not None:
                break
            cell, parent = parent, parent.parent
        return parent

    def _remove(self, cell: Cell) -> None:
        """Remove a cell whose actor was never created, without notifying its parent."""
        if cell.parent is not None and cell.parent.children is not None:
            cell.parent.children.pop(int(cell.number), None)

    def post_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Send a message of the system, bypassing the interceptor."""
        system = receiver.base
        if not system.closed:
            system.mailbox.append((receiver, sender, message))
            system.wake()

    def all_gone(self) -> bool:
        """Return True if no actor is left."""
        return not self.root.children
