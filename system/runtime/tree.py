"""The tree of actors: how they come into it, are found in it, and leave it."""

import threading
import traceback
from typing import TYPE_CHECKING, Any, cast

import structlog
from thespian.actors import ActorAddress, ChildActorExited

from order_sagas.actors.clock import Clock
from order_sagas.system.runtime.actor_factory import Factory
from order_sagas.system.runtime.cell import PRIMARY_PREFIX, Cell, Children
from order_sagas.system.runtime.loop import EventLoop
from order_sagas.system.runtime.policies import Policy

if TYPE_CHECKING:
    from order_sagas.system.runtime.lifecycle import Lifecycle

log = structlog.get_logger()

SYSTEM_NAME = "/ActorSys"


class Tree(EventLoop):
    """Every actor is the child of another or of the system, numbered by its parent."""

    def __init__(
        self, clock: Clock, policy: Policy, threaded: bool, capabilities: dict[str, Any]
    ) -> None:
        super().__init__(clock, policy, threaded)
        self.names: dict[str, Cell] = {}
        self.ports: dict[str, Cell] = {}
        self.root = Cell(cast("Lifecycle", self), None, SYSTEM_NAME)
        self.loaded_sources: dict[str, bytes] = {}
        self.factory = Factory(capabilities, self.loaded_sources)
        self._plain = self.factory.plain
        # Primary actors are made by whatever thread asks for them.
        self.creating = threading.RLock()

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
            return Cell(cast("Lifecycle", self), None, f"{parent.addressDetails}~unborn")
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
        # No cast: this is the hot path, and a cast is a call.
        cell = children[number] = Cell(self, parent, number)  # type: ignore[arg-type]
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
            return address  # pyright: ignore[reportReturnType]  # not narrowed by `__class__`
        name = address.actorAddressString
        if name == SYSTEM_NAME:
            return self.root
        return (
            self.ports.get(name) or self._look_up(name) or Cell(cast("Lifecycle", self), None, name)
        )

    def _look_up(self, name: str) -> Cell | None:
        prefix, *numbers = name.split("~")
        if prefix != PRIMARY_PREFIX or not numbers:
            return None
        cell: Cell | None = self.root
        for number in numbers:
            children = cell.children if cell is not None else None
            cell = children.get(int(number)) if children and number.isdecimal() else None
        return cell

    # Leaving.

    def _leave_tree(self, cell: Cell) -> Cell | None:
        """Take a dead cell out, with its dead ancestors for whom it was the last descendant.

        Returns the first one above that stays.
        """
        parent = cell.parent
        if parent is not None and parent.actor is not None and parent is not self.root:
            # From the child itself: no policy may let it overtake what the child sent before.
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
        """Take out a cell that was never alive, of which nobody is told."""
        if cell.parent is not None and cell.parent.children is not None:
            cell.parent.children.pop(int(cell.number), None)

    def post_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Send on the system's own behalf, past the interceptor."""
        system = receiver.base
        if not system.closed:
            system.mailbox.append((receiver, sender, message))
            system.wake()

    def all_gone(self) -> bool:
        return not self.root.children
