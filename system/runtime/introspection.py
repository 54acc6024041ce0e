"""What can be seen of a running system from outside: its actors, messages and timers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from thespian.actors import ActorAddress
from thespian.system.messages.status import Thespian_ActorStatus, Thespian_SystemStatus
from thespian.system.timing import ExpirationTimer

from order_sagas.system.runtime.cell import Cell

if TYPE_CHECKING:
    from order_sagas.system.runtime.lifecycle import Lifecycle


class PendingMessage(NamedTuple):
    """A message that was sent and not delivered yet."""

    receiver: ActorAddress
    sender: ActorAddress
    message: Any


class TimerView(NamedTuple):
    """A wakeup that is still to come; `due` is in the clock's monotonic seconds."""

    due: float
    address: ActorAddress
    period: Any
    payload: Any


class ActorView(NamedTuple):
    """A living actor. The parent of a primary actor is the system."""

    address: ActorAddress
    actor_class: type
    parent: ActorAddress


def walk(cell: Cell) -> Iterator[Cell]:
    """Every cell below this one, parents before their children, dead parents of living included."""
    stack = [cell]
    while stack:
        children = stack.pop().children
        if children:
            below = list(children.values())
            yield from below
            stack.extend(reversed(below))


def living_below(cell: Cell) -> list[Cell]:
    """The nearest living descendants: the children, and those whom dead children left behind."""
    found, stack = [], list((cell.children or {}).values())
    while stack:
        child = stack.pop()
        if child.actor is not None:
            found.append(child)
        else:
            stack.extend((child.children or {}).values())
    found.reverse()
    return found


def class_of(cell: Cell) -> type:
    """The class of the actor that lives here, also while it waits for its children to exit."""
    return type(getattr(cell.actor, "waiting", cell.actor))


def pending(system: "Lifecycle") -> list[PendingMessage]:
    """The messages that wait for delivery."""
    return [PendingMessage(*envelope) for envelope in list(system.mailbox)]


def timers(system: "Lifecycle") -> list[TimerView]:
    """The wakeups still to come, in the order in which they will fire."""
    return [
        TimerView(due, cell, period, payload) for due, _, cell, period, payload in system.timer_heap
    ]


def actors(system: "Lifecycle") -> list[ActorView]:
    """The living actors, parents before their children."""
    return [
        # Only the root has no parent.
        ActorView(cell, class_of(cell), cell.parent)  # pyright: ignore[reportArgumentType]
        for cell in walk(system.root)
        if cell.actor is not None
    ]


def actor_status(system: "Lifecycle", cell: Cell) -> Thespian_ActorStatus:
    """What Thespian answers when an actor is asked for its status."""
    exiting = cell.rarities is not None and cell.rarities.exiting
    status = Thespian_ActorStatus(
        cell,
        class_of(cell).__name__,
        system.root,
        parentAddress=cell.parent,
        sourceHash=cell.rarities.source_hash if cell.rarities is not None else None,
        exiting=True if exiting else None,
    )
    _add_common(system, cell, status, everything=False)
    return status


def system_status(system: "Lifecycle") -> Thespian_SystemStatus:
    """What Thespian answers when the system is asked for its status."""
    status = Thespian_SystemStatus(system.root, capabilities=dict(system.capabilities))
    _add_common(system, system.root, status, everything=True)
    for name, address in list(system.names.items()):
        status.addGlobalActor(name, address)
    status.setDeadLetterHandler(system.dead_letter_handler)
    # Untyped: None at first.
    status.sourceAuthority = system.sources.authority  # pyright: ignore[reportAttributeAccessIssue]
    status.loadedSources = [(each, "") for each in system.sources.loaded]
    return status


def _add_common(system: "Lifecycle", cell: Cell, status: Any, *, everything: bool) -> None:
    for child in living_below(cell):
        status.addChild(child)
    for receiver, sender, message in pending(system):
        if everything or receiver is cell:
            status.addReceivedMessage(sender, receiver, message)
    now = system.clock.monotonic()
    status.addWakeups(
        [
            (timer.address, ExpirationTimer(max(0.0, timer.due - now)))
            for timer in timers(system)
            if everything or timer.address is cell
        ]
    )
