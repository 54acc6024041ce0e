"""Which step of a saga a message belongs to, for the faults of services."""

from typing import Any

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition import Each, Step
from order_sagas.actors.sagas.registry import Registry

Place = tuple[str, str]
"""A step of a saga in flight: saga id, and the name of the step or item."""


class Steps:
    """The steps of all definitions, by the names that messages carry."""

    def __init__(self, registry: Registry) -> None:
        self._steps: dict[Place, Step[Any, Any]] = {}
        self._past_pivot: set[Place] = set()
        for saga in registry:
            for number, stage in enumerate(saga.stages):
                for step in stage:
                    name = step.item_name if isinstance(step, Each) else step.name
                    self._steps[saga.name, name] = step
                    if number > saga.pivot_stage:
                        self._past_pivot.add((saga.name, name))

    def step_of(self, message: Message) -> Step[Any, Any] | None:
        """Return the step that a message names; None for a notice, and outside of sagas."""
        return self._steps.get(_definition_of(message))

    def of_command(self, service: str, message: Message) -> Step[Any, Any] | None:
        """Return the step if the message is a command to its participant.

        None for replies, which another service may overhear.
        """
        step = self.step_of(message)
        if step is None or step.to.name != service:
            return None
        replies = (step.done, step.failed, step.undone, step.unknown)
        return None if type(message) in replies else step

    def is_past_pivot(self, message: Message) -> bool:
        """Return True if the step of a message comes after the pivot."""
        return _definition_of(message) in self._past_pivot

    @staticmethod
    def place_of(message: Message) -> Place:
        """Return the saga and the step of a message."""
        return message.saga_id, message.step

    @staticmethod
    def order_of(message: Message) -> str:
        """Return the order of the saga of a message."""
        return message.saga_id.partition("/")[2] or message.order_id


def is_undo(message: Message) -> bool:
    """Return True if the message is a compensation."""
    return f"{message.step}:undo/" in message.event_id


def is_question(message: Message) -> bool:
    """Return True if the message asks for the outcome of a command."""
    return f"{message.step}:ask/" in message.event_id


def _definition_of(message: Message) -> Place:
    name = message.step.rpartition("[")[0] if message.step.endswith("]") else message.step
    return message.saga_id.partition("/")[0], name
