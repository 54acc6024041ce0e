"""Receivers in place of an actor: for the system itself, and for actors that are exiting."""

import traceback
from typing import Any

import structlog
from thespian.actors import ChildActorExited, Thespian_StatusReq, ValidatedSource

from order_sagas.system.runtime.cell import Cell, System
from order_sagas.system.runtime.external_port import Endpoint
from order_sagas.system.runtime.introspection import system_status

log = structlog.get_logger()


class SystemEndpoint(Endpoint):
    """Receives the messages to the system's own address."""

    def __init__(self, system: System) -> None:
        self._system = system

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Answer a status request, or take the validation of a source; drop anything else."""
        if isinstance(message, Thespian_StatusReq):
            system = self._system
            system.post_system(sender, system.root, system_status(system))
        elif isinstance(message, ValidatedSource):
            self._system.sources.validated(message)


class Exiting:
    """Takes the place of an actor that waits for its children to exit before it exits."""

    def __init__(self, system: System, cell: Cell, actor: Any) -> None:
        self._system = system
        self._cell = cell
        self.waiting = actor

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Pass exits of its children to the actor; any other message is undeliverable."""
        if isinstance(message, ChildActorExited):
            try:
                self.waiting.receiveMessage(message, sender)
            except (Exception, SystemExit):
                log.warning(
                    "actor.exit_failed", actor=str(self._cell), exception=traceback.format_exc()
                )
            if not self._cell.children:
                self._system.end_at_once(self._cell)
        else:
            self._system.undeliverable(self._cell, sender, message)
