"""Creates actor instances from a class, an import path or a loaded source."""

import inspect
from functools import partial
from typing import Any

from thespian.actors import NoCompatibleSystemForActor
from thespian.system.sourceLoader import loadModuleFromHashSource
from thespian.system.utilis import actualActorClass, withPossibleInitArgs

_OFFERED = frozenset({"capabilities", "requirements"})


class Factory:
    """Makes actor instances.

    `plain` holds the known classes without a capability check and without the optional arguments
    `capabilities` and `requirements` of `__init__`. The caller creates these by a plain call, since
    inspecting a class costs more than the rest of an actor's creation.
    """

    def __init__(self, capabilities: dict[str, Any], sources: dict[str, bytes]) -> None:
        self._capabilities = capabilities
        self._sources = sources
        self.plain: set[Any] = set()

    def create(self, actor_class: Any, requirements: Any, source_hash: str | None) -> Any:
        """Return a new instance.

        Raises NoCompatibleSystemForActor if the class's capability check fails, and any exception
        of importing the class or of its `__init__`.
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
        """Clear `plain`, after a source was unloaded: some classes may belong to it."""
        self.plain.clear()
