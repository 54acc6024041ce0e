"""What a saga and its child sagas send each other, on a topic of their own.

A child is started by the message that its definition starts on, on the topic where that belongs.
All else is here. Each message is keyed by the order of its receiver, whose saga id it carries.
"""

from typing import Any, NamedTuple

from order_sagas.actors.messages import Failed, Message
from order_sagas.actors.sagas.participant import Participant

CHILDREN = Participant("child sagas", topic="saga-children")
"""The receiver of what sagas send their children and their parents. No service has this name."""


class ChildCompleted(Message):
    """A child saga has completed. `child` is its saga id."""

    child: str = ""


class ChildCancelled(Failed):
    """A child saga was cancelled, undone, or not started. `child` is its saga id."""

    child: str = ""


class UndoChild(Message):
    """Undo a child saga: compensate it, even if it has completed. `parent` is the sender's saga id.

    If the child has not been started, it never will be.
    """

    parent: str = ""
    start: Any = None
    """The message that starts the child, as plain data."""
    running_only: bool = False
    """Only cancel the child if it is running and can be cancelled; a completed one stays so."""


class Parent(NamedTuple):
    """The saga and the step that started a child."""

    saga_id: str
    step: str

    @property
    def order_id(self) -> str:
        """The order of the parent."""
        return self.saga_id.partition("/")[2]


def parent_of(start: Message) -> Parent | None:
    """The saga that waits for the saga that `start` starts; None if there is none.

    A message that one saga sends and that starts another one, without waiting for its end, makes
    none of them a parent: its event id is another.
    """
    if start.saga_id and start.event_id == child_event_id(start.saga_id, start.step, start.attempt):
        return Parent(start.saga_id, start.step)
    return None


def command_of(event_id: str) -> str:
    """The id of the command that an event id is of; a child's start is one of its parent."""
    return event_id.replace(":child/", "/")


def child_event_id(parent: str, step: str, attempt: int) -> str:
    """The event id of a message that starts a child for which `parent` waits."""
    return f"{parent}/{step}:child/{attempt}"
