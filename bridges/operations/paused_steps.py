"""Which paused service a saga waits for."""

from collections.abc import Collection

from order_sagas.actors.sagas.registry import Registry


class ServicesOfSteps:
    """The service of each step of the registered definitions, of their newest versions."""

    def __init__(self, registry: Registry) -> None:
        self._services = {
            (saga.name, step.name): step.to.name
            for saga in registry.newest.values()
            for step in saga.rows
        }

    def paused(self, saga: str, step: str, names: Collection[str]) -> str | None:
        """Return the paused service, of these `names`, that a saga at this step waits for.

        `step` may name several, as `sagas.step` of the database does: `reserve, charge`.
        """
        if not names:
            return None
        waits = (self._services.get((saga, each)) for each in step.split(", "))
        return next((name for name in waits if name in names), None)
