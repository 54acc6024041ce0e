"""From an actor class, a string or a source hash to a living actor."""

import inspect
from functools import partial
from typing import Any

from thespian.actors import NoCompatibleSystemForActor
from thespian.system.sourceLoader import loadModuleFromHashSource
from thespian.system.utilis import actualActorClass, withPossibleInitArgs

_OFFERED = frozenset({"capabilities", "requirements"})


class Factory:
    """Makes actor instances.

    `plain` holds the classes seen so far that ask for nothing: no capability check and none of
    the arguments that the system offers to `__init__`. Those are made by calling them, since
    finding out what a class asks for costs more than everything else in an actor's life.
    """

    def __init__(self, capabilities: dict[str, Any], sources: dict[str, bytes]) -> None:
        self._capabilities = capabilities
        self._sources = sources
        self.plain: set[Any] = set()

    def create(self, actor_class: Any, requirements: Any, source_hash: str | None) -> Any:
        """A new instance.

        Raises NoCompatibleSystemForActor if the class refuses these capabilities, and whatever
        finding the class or its `__init__` raises.
        """
        loader = (
            partial(loadModuleFromHashSource, source_hash, self._sources) if source_hash else None
        )
        actor_class = actualActorClass(actor_class, loader)
        check = getattr(actor_class, "actorSystemCapabilityCheck", None)
        if check is not None and not check(self._capabilities, requirements or {}):
            raise NoCompatibleSystemForActor(actor_class, "no compatible capabilities")
        actor = withPossibleInitArgs(
            capabilities=self._capabilities, requirements=requirements
        ).create(actor_class)
        if check is None and _OFFERED.isdisjoint(inspect.getfullargspec(actor_class.__init__).args):
            self.plain.add(actor_class)
        return actor

    def forget_classes(self) -> None:
        """Let go of the classes seen so far: some may belong to a source that was unloaded."""
        self.plain.clear()
