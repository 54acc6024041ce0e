"""Checks that the names in a fault exist in the app, so that a typing error is not ignored."""

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.records.routing import Routes
from order_sagas.system.harness import faults

_OF_SERVICES = (
    faults.Silent, faults.Declines, faults.LosesReplies, faults.Slow, faults.AnswersTwice,
    faults.Raises,
)  # fmt: skip


def check_names(fault: faults.Fault, routes: Routes, registry: Registry) -> None:
    """Raise LookupError if the fault is of a service or topic that does not exist.

    Also if it lets a service decline that has no failure reply.
    """
    if isinstance(fault, _OF_SERVICES):
        check_service(fault.service, registry)
    if isinstance(fault, faults.Declines) and fault.service not in declining(registry):
        raise LookupError(
            f"no step of {fault.service!r} has a failure reply (`failed`), so it cannot decline; "
            f"these can: {', '.join(declining(registry)) or 'none'}"
        )
    if isinstance(fault, faults.Put) and fault.topic not in routes.topics:
        known = ", ".join(routes.topics)
        raise LookupError(f"there is no topic {fault.topic!r}; there are {known}")


def check_service(name: str, registry: Registry) -> None:
    """Raise LookupError if no participant has this name."""
    participants = registry.participants()
    if name not in participants:
        raise LookupError(f"no service is named {name!r}; there are {', '.join(participants)}")


def declining(registry: Registry) -> list[str]:
    """Return the participants with a step that can fail."""
    rows = (row for saga in registry for row in saga.rows if row.kind in ("step", "each"))
    return list(dict.fromkeys(row.to.name for row in rows if row.failed and not row.is_child))
