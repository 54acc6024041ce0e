"""Stand-ins for the services that run elsewhere, so that an app can be simulated without them."""

import random
from collections.abc import Iterable
from typing import Any, ClassVar

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.service import NOTHING, Answer, Service
from order_sagas.system.harness.samples import sample_of

FAILING = 0.1
"""Share of commands that are answered with a failure, where the step has one."""


class RemoteCall(Entity):
    """Nothing is stored: the answer to a command follows from the order and the step."""

    table: ClassVar[str] = "remote_calls"

    order_id: str


def remote_services(
    registry: Registry, services: Iterable[type[Service]]
) -> tuple[type[Service], ...]:
    """Return a service for each participant that is declared `remote` and has none here.

    It answers every command and compensation as the saga's definition says, some with a failure.
    """
    here = {service.participant.name for service in services}
    return tuple(
        _remote(registry, participant)
        for name, participant in registry.participants().items()
        if participant.remote and name not in here
    )


def _remote(registry: Registry, remote: Any) -> type[Service]:
    def answer(self: Service, state: Any, command: Message, now: float) -> Answer:
        """Answer a command or a compensation."""
        saga = registry.newest[command.saga_id.partition("/")[0]]
        step = saga.row_named(command.step)
        if step is None or step.kind == "wait":  # a reminder is for a person
            return NOTHING
        rng = random.Random(f"remote/{command.order_id}/{command.step}")
        if ":undo/" in command.event_id:
            kind = step.undone
        else:
            kind = step.failed if step.failed and rng.random() < FAILING else step.done
        if kind is None:
            return NOTHING
        return Answer(replies=(sample_of(kind, rng, command.order_id),))

    fields = {
        "participant": remote,
        "entity": RemoteCall,
        "handlers": dict.fromkeys(remote.remote, answer),
        "__doc__": f"Answers in place of the service {remote.name!r}.",
    }
    return type(f"Remote{remote.name.title()}", (Service,), fields)
