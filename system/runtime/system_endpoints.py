"""What stands where an actor would: for the system itself, and for actors that are leaving."""

import traceback
from typing import TYPE_CHECKING, Any

import structlog
from thespian.actors import ChildActorExited, Thespian_StatusReq, ValidatedSource

from order_sagas.system.runtime.cell import Cell
from order_sagas.system.runtime.external_port import Endpoint
from order_sagas.system.runtime.introspection import system_status

if TYPE_CHECKING:
    from order_sagas.system.runtime.lifecycle import Lifecycle

log = structlog.get_logger()


class SystemEndpoint(Endpoint):
    """What the system's own address answers."""

    def __init__(self, system: "Lifecycle") -> None:
        self._system = system

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Thespian_StatusReq):
            system = self._system
            system.post_system(sender, system.root, system_status(system))
        elif isinstance(message, ValidatedSource):
            self._system.sources.validated(message)


class Exiting:
    """Stands in for an actor that waits for its children to exit before it does."""

    def __init__(self, system: "Lifecycle", cell: Cell, actor: Any) -> None:
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
