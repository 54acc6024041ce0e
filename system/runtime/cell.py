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
        """See `Tree.resolve`."""
        ...

    def create_child(
        self,
        parent: "Cell",
        actor_class: Any,
        requirements: Any = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> "Cell":
        """See `Tree.create_child`."""
        ...

    def post_system(self, receiver: "Cell", sender: "Cell", message: Any) -> None:
        """See `Tree.post_system`."""
        ...

    def wake(self) -> None:
        """See `EventLoop.wake`."""
        ...

    def bury(self, cell: "Cell") -> None:
        """See `Lifecycle.bury`."""
        ...

    def undeliverable(self, receiver: "Cell", sender: "Cell", message: Any) -> None:
        """See `Lifecycle.undeliverable`."""
        ...

    def begin_shutdown(self) -> None:
        """See `Lifecycle.begin_shutdown`."""
        ...

    def updateCapability(self, name: str, value: Any = None) -> None:
        """See `Lifecycle.updateCapability`."""
        ...

    def loadActorSource(self, file: Any) -> str:
        """See `Lifecycle.loadActorSource`."""
        ...

    def unloadActorSource(self, source_hash: str) -> None:
        """See `Lifecycle.unloadActorSource`."""
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
        """See `Tree.create_child`."""
        return self.base.create_child(self, actor_class, requirements, global_name, source_hash)

    def handleDeadLetters(self, address: "Cell", enable: bool) -> None:
        """Make an actor the handler of dead letters, or stop it being that."""
        self.base._handleDeadLetters(address, enable)

    def registerSourceAuthority(self, address: "Cell") -> None:
        """Make an actor the authority that validates loaded sources."""
        self.base.sources.authority = address

    def notifyOnSourceAvailability(self, address: "Cell", enable: bool) -> None:
        """See `Sources.notify`."""
        self.base.sources.notify(address, enable)

    def loadActorSource(self, file: Any) -> str:
        """See `Lifecycle.loadActorSource`."""
        return self.base.loadActorSource(file)

    def unloadActorSource(self, source_hash: str) -> None:
        """See `Lifecycle.unloadActorSource`."""
        self.base.unloadActorSource(source_hash)

    def updateCapability(self, name: str, value: Any) -> None:
        """See `Lifecycle.updateCapability`."""
        self.base.updateCapability(name, value)

    def actorSystemShutdown(self) -> None:
        """See `Lifecycle.begin_shutdown`."""
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
