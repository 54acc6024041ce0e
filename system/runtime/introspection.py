"""Views of a running system: its actors, undelivered messages and timers, and status replies."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from thespian.actors import ActorAddress
from thespian.system.messages.status import Thespian_ActorStatus, Thespian_SystemStatus
from thespian.system.timing import ExpirationTimer

from order_sagas.system.runtime.cell import Cell, System


class PendingMessage(NamedTuple):
    """A message that was sent and is not delivered yet."""

    receiver: ActorAddress
    sender: ActorAddress
    message: Any


class TimerView(NamedTuple):
    """A timer that is set. `due` is in the clock's monotonic seconds."""

    due: float
    address: ActorAddress
    period: Any
    payload: Any


class ActorView(NamedTuple):
    """An actor that has not exited. The parent of a primary actor is the system."""

    address: ActorAddress
    actor_class: type
    parent: ActorAddress


def walk(cell: Cell) -> Iterator[Cell]:
    """Yield all cells below this one, parents first; also dead ones with living descendants."""
    stack = [cell]
    while stack:
        children = stack.pop().children
        if children:
            below = list(children.values())
            yield from below
            stack.extend(reversed(below))


def living_below(cell: Cell) -> list[Cell]:
    """Return the nearest living descendants: children, and living descendants of dead children."""
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
    """Return the class of the cell's actor, also while it waits for its children to exit."""
    return type(getattr(cell.actor, "waiting", cell.actor))


def pending(system: System) -> list[PendingMessage]:
    """Return the messages that are not delivered yet."""
    return [PendingMessage(*envelope) for envelope in list(system.mailbox)]


def timers(system: System) -> list[TimerView]:
    """Return the timers that are set, in the order in which they will fire."""
    return [
        TimerView(due, cell, period, payload) for due, _, cell, period, payload in system.timer_heap
    ]


def actors(system: System) -> list[ActorView]:
    """Return all actors that have not exited, parents before their children."""
    return [
        # Only the root has no parent.
        ActorView(cell, class_of(cell), cell.parent)  # pyright: ignore[reportArgumentType]
        for cell in walk(system.root)
        if cell.actor is not None
    ]


def actor_status(system: System, cell: Cell) -> Thespian_ActorStatus:
    """Build Thespian's status reply of an actor."""
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


def system_status(system: System) -> Thespian_SystemStatus:
    """Build Thespian's status reply of the system."""
    status = Thespian_SystemStatus(system.root, capabilities=dict(system.capabilities))
    _add_common(system, system.root, status, everything=True)
    for name, address in list(system.names.items()):
        status.addGlobalActor(name, address)
    status.setDeadLetterHandler(system.dead_letter_handler)
    # Untyped: None at first.
    status.sourceAuthority = system.sources.authority  # pyright: ignore[reportAttributeAccessIssue]
    status.loadedSources = [(each, "") for each in system.sources.loaded]
    return status


def _add_common(system: System, cell: Cell, status: Any, *, everything: bool) -> None:
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
