"""An actor's place in the system: at once its address and the reference that it acts through.

Thespian gives every actor a `_myRef` through which it sends, creates and sleeps, and an
`ActorAddress` by which others name it. Here they are one small object, so that a message finds its
receiver without a look-up, and a parked actor costs one object fewer.
"""

from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress
from thespian.system.timing import timePeriodSeconds

if TYPE_CHECKING:
    from order_sagas.system.runtime.lifecycle import Lifecycle

PRIMARY_PREFIX = "/A"


class Children(dict[int, "Cell"]):
    """An actor's children by number, and how many it ever had: a number is never used twice."""

    __slots__ = ("born",)

    def __init__(self) -> None:
        super().__init__()
        self.born = 0


class Rarities:
    """What few actors have, kept apart so that the others need no room for it."""

    __slots__ = ("exiting", "name", "notified", "source_hash")

    def __init__(self) -> None:
        self.name: str | None = None
        self.source_hash: str | None = None
        self.notified = False
        self.exiting = False


class Cell(ActorAddress):
    """Where an actor lives. `actor` is None once it is dead, and it never comes back.

    What is sent to it arrives in its own system, also from another one in this process. Copying or
    pickling one gives a plain `ActorAddress` of the same name, which stands for whatever has that
    name in the system where it is used.
    """

    __slots__ = ("actor", "base", "children", "number", "parent", "rarities", "timers")

    def __init__(self, base: "Lifecycle", parent: "Cell | None", number: int | str) -> None:
        self.base = base
        self.parent = parent
        self.number = number
        self.actor: Any = None
        self.children: Children | None = None
        self.rarities: Rarities | None = None
        self.timers = 0

    # As an address.

    @property
    def _aaddr(self) -> str:
        # Spelled out on demand: a name for each of a million actors would be 70 MB.
        if self.parent is None:
            return str(self.number)
        prefix = PRIMARY_PREFIX if self.parent.parent is None else self.parent._aaddr
        return f"{prefix}~{self.number}"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other.__class__ is Cell:  # of another actor, perhaps of the same name elsewhere
            return False
        return bool(super().__eq__(other))

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as in Thespian: what hashes here must elsewhere

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorAddress, (self._aaddr,)

    def __repr__(self) -> str:
        return str(self)

    # As an actor's reference to its system; the names are Thespian's.

    @property
    def address(self) -> "Cell":
        return self

    @property
    def globalName(self) -> str | None:
        return self.rarities.name if self.rarities is not None else None

    def actor_send(self, target: ActorAddress, message: Any) -> None:
        if target.__class__ is not Cell:
            target = self.base.resolve(target)
        # The receiver's system, which is another one if two of them live in this process.
        base = target.base  # pyright: ignore[reportAttributeAccessIssue]  # a `Cell` by now
        base.post((target, self, message))
        if base.asleep:
            base.wake()

    def wakeupAfter(self, period: Any, payload: Any = None) -> None:
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
        return self.base.create_child(self, actor_class, requirements, global_name, source_hash)

    def handleDeadLetters(self, address: "Cell", enable: bool) -> None:
        self.base._handleDeadLetters(address, enable)

    def registerSourceAuthority(self, address: "Cell") -> None:
        self.base.sources.authority = address

    def notifyOnSourceAvailability(self, address: "Cell", enable: bool) -> None:
        self.base.sources.notify(address, enable)

    def loadActorSource(self, file: Any) -> str:
        return self.base.loadActorSource(file)

    def unloadActorSource(self, source_hash: str) -> None:
        self.base.unloadActorSource(source_hash)

    def updateCapability(self, name: str, value: Any) -> None:
        self.base.updateCapability(name, value)

    def actorSystemShutdown(self) -> None:
        self.base.begin_shutdown()

    # One process is no convention: there are no remote systems to hear of.

    def notifyOnSystemRegistrationChanges(self, address: "Cell", enable: bool) -> None:
        """Nothing to do."""

    def preRegisterRemoteSystem(self, address: Any, capabilities: Any) -> None:
        """Nothing to do."""

    def deRegisterRemoteSystem(self, address: Any) -> None:
        """Nothing to do."""

    def rare(self) -> Rarities:
        """This actor's rarities, made at the first call."""
        if self.rarities is None:
            self.rarities = Rarities()
        return self.rarities
