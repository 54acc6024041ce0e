"""Checks that a fault names what the app has, so that a typing error is no fault without effect."""

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.records.routing import Routes
from order_sagas.system.harness import faults

_OF_SERVICES = (
    faults.Silent, faults.Declines, faults.LosesReplies, faults.Slow, faults.AnswersTwice,
    faults.Raises,
)  # fmt: skip


def check_names(fault: faults.Fault, routes: Routes, registry: Registry) -> None:
    """Raise LookupError if the fault is of a service or topic that does not exist."""
    if isinstance(fault, _OF_SERVICES):
        check_service(fault.service, registry)
    if isinstance(fault, faults.Put) and fault.topic not in routes.topics:
        known = ", ".join(routes.topics)
        raise LookupError(f"there is no topic {fault.topic!r}; there are {known}")


def check_service(name: str, registry: Registry) -> None:
    """Raise LookupError if no participant has this name."""
    participants = registry.participants()
    if name not in participants:
        raise LookupError(f"no service is named {name!r}; there are {', '.join(participants)}")
