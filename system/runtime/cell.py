"""Cells: an actor's address, and its reference to the actor system, in one object.

Thespian gives every actor a `_myRef`, through which it sends messages, creates actors and sets
timers, and an `ActorAddress`, by which others address it. Here both are one small object, so that a
message reaches its receiver without a look-up, and a parked actor needs one object less.
"""

from collections.abc import Callable
from typing import Any, Protocol

from thespian.actors import ActorAddress
from thespian.system.timing import timePeriodSeconds

from order_sagas.actors.clock import Clock
from order_sagas.system.runtime.policies import Envelope, Mailbox

PRIMARY_PREFIX = "/A"


class System(Protocol):
    """The part of a system base that cells and the helper modules of the runtime use.

    It is declared here, and not imported from `base` or `lifecycle`, because these import the
    modules that use it.
    """

    clock: Clock
    mailbox: Mailbox
    post: Callable[[Envelope], Any]
    asleep: bool
    closed: bool
    root: "Cell"
    names: "dict[str, Cell]"
    ports: "dict[str, Cell]"
    capabilities: dict[str, Any]
    loaded_sources: dict[str, bytes]
    dead_letter_handler: "Cell | None"

    @property
    def timer_heap(self) -> Any:
        """The timers, a `TimerHeap`."""
        ...

    @property
    def sources(self) -> Any:
        """The loaded sources, a `Sources`."""
        ...

    def resolve(self, address: ActorAddress) -> "Cell":
        """Return the cell of an address: itself, or the cell with the name of a copied address."""
        ...

    def create_child(
        self,
        parent: "Cell",
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> "Cell":
        """Create a child, or return the actor that has the global name."""
        ...

    def post_system(self, receiver: "Cell", sender: "Cell", message: Any) -> None:
        """Send a message of the system, bypassing the interceptor."""
        ...

    def wake(self) -> None:
        """Wake the loop if it sleeps."""
        ...

    def end_at_once(self, cell: "Cell") -> None:
        """End an actor at once, and remove its timers and registrations."""
        ...

    def undeliverable(self, receiver: "Cell", sender: "Cell", message: Any) -> None:
        """Send a message for a dead actor to the handler of dead letters."""
        ...

    def begin_shutdown(self) -> None:
        """Ask every actor to exit, and the loop to end after that. Does not wait."""
        ...

    def updateCapability(self, name: str, value: Any = None) -> None:
        """Set a capability, or remove it with None."""
        ...

    def loadActorSource(self, file: Any) -> str:
        """Load a source, and return its hash. Outside of an actor, waits for the authority."""
        ...

    def unloadActorSource(self, source_hash: str) -> None:
        """Remove a source and the modules imported from it; an unknown hash is ignored."""
        ...

    def _handleDeadLetters(self, address: ActorAddress, enable: bool) -> None: ...


class Children(dict[int, "Cell"]):
    """An actor's children by number. `born` counts all it ever had: numbers are not reused."""

    __slots__ = ("born",)

    def __init__(self) -> None:
        super().__init__()
        self.born = 0


class Rarities:
    """Attributes that few actors have, in a separate object to save memory for the others."""

    __slots__ = ("exiting", "name", "notified", "source_hash")

    def __init__(self) -> None:
        self.name: str | None = None
        self.source_hash: str | None = None
        self.notified = False
        self.exiting = False


class Cell(ActorAddress):
    """An actor's address and its reference to the system. `actor` is None after its end, for good.

    Messages to a cell are delivered by the cell's own system, even if the sender belongs to another
    system in this process. A copied or unpickled cell is a plain `ActorAddress` of the same name,
    which is resolved in the system where it is used.
    """

    __slots__ = ("actor", "base", "children", "number", "parent", "rarities", "timers")

    def __init__(self, base: System, parent: "Cell | None", number: int | str) -> None:
        self.base = base
        self.parent = parent
        self.number = number
        self.actor: Any = None
        self.children: Children | None = None
        self.rarities: Rarities | None = None
        self.timers = 0

    # The interface of an address.

    @property
    def _aaddr(self) -> str:
        # Built on demand: the names of a million actors would take 70 MB.
        if self.parent is None:
            return str(self.number)
        prefix = PRIMARY_PREFIX if self.parent.parent is None else self.parent._aaddr
        return f"{prefix}~{self.number}"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other.__class__ is Cell:  # another actor; its name may be the same in another system
            return False
        return bool(super().__eq__(other))

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # not hashable, like Thespian's ActorAddress

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorAddress, (self._aaddr,)

    def __repr__(self) -> str:
        return str(self)

    # The interface of an actor's reference to its system; Thespian defines the names.

    @property
    def address(self) -> "Cell":
        """The actor's address, which is this object."""
        return self

    @property
    def globalName(self) -> str | None:
        """The name under which the actor is registered, if any."""
        return self.rarities.name if self.rarities is not None else None

    def actor_send(self, target: ActorAddress, message: Any) -> None:
        """Send a message from this actor; wakes the receiver's loop if it sleeps."""
        if target.__class__ is not Cell:
            target = self.base.resolve(target)
        # The receiver's system may be another one in this process.
        base = target.base  # pyright: ignore[reportAttributeAccessIssue]  # a `Cell` by now
        base.post((target, self, message))
        if base.asleep:
            base.wake()

    def wakeupAfter(self, period: Any, payload: Any = None) -> None:
        """Send a WakeupMessage to this actor after `period`: seconds, or a timedelta."""
        base = self.base
        base.timer_heap.set(
            base.clock.monotonic() + timePeriodSeconds(period), self, period, payload
        )
        if base.asleep:
            base.wake()

    def createActor(
        self,
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> ActorAddress:
        """Create a child, or return the actor that has the global name."""
        return self.base.create_child(self, actor_class, requirements, global_name, source_hash)

    def handleDeadLetters(self, address: "Cell", enable: bool) -> None:
        """Make an actor the handler of dead letters, or stop it being that."""
        self.base._handleDeadLetters(address, enable)

    def registerSourceAuthority(self, address: "Cell") -> None:
        """Make an actor the authority that validates loaded sources."""
        self.base.sources.authority = address

    def notifyOnSourceAvailability(self, address: "Cell", enable: bool) -> None:
        """Start or stop notifying an actor of loaded and unloaded sources."""
        self.base.sources.notify(address, enable)

    def loadActorSource(self, file: Any) -> str:
        """Load a source, and return its hash. Outside of an actor, waits for the authority."""
        return self.base.loadActorSource(file)

    def unloadActorSource(self, source_hash: str) -> None:
        """Remove a source and the modules imported from it; an unknown hash is ignored."""
        self.base.unloadActorSource(source_hash)

    def updateCapability(self, name: str, value: Any) -> None:
        """Set a capability, or remove it with None."""
        self.base.updateCapability(name, value)

    def actorSystemShutdown(self) -> None:
        """Ask every actor to exit, and the loop to end after that. Does not wait."""
        self.base.begin_shutdown()

    # This base has no conventions (Thespian's groups of systems), hence no remote systems.

    def notifyOnSystemRegistrationChanges(self, address: "Cell", enable: bool) -> None:
        """Do nothing: there are no remote systems."""

    def preRegisterRemoteSystem(self, address: Any, capabilities: Any) -> None:
        """Do nothing: there are no remote systems."""

    def deRegisterRemoteSystem(self, address: Any) -> None:
        """Do nothing: there are no remote systems."""

    def rare(self) -> Rarities:
        """Return this actor's rare attributes; creates the object at the first call."""
        if self.rarities is None:
            self.rarities = Rarities()
        return self.rarities
