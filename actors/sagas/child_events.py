"""What a saga does because it is a child: it is started again, it is undone, it reports its end."""

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from order_sagas.actors.clock import iso
from order_sagas.actors.messages import SCHEMA_VERSION, CancelSaga, Message
from order_sagas.actors.sagas.child_messages import (
    CHILDREN,
    ChildCancelled,
    ChildCompleted,
    Parent,
    UndoChild,
    child_event_id,
    parent_of,
)
from order_sagas.actors.sagas.effects import Send
from order_sagas.actors.sagas.operator_rules import refusal
from order_sagas.actors.sagas.state import CANCELLED, COMPLETED
from order_sagas.actors.sagas.waits import Waits

if TYPE_CHECKING:
    from order_sagas.actors.sagas.definition import Saga

UNDONE_BY_PARENT = "undone_by_parent"
"""Code of a saga that is compensated because its parent is."""
ORDER_IN_USE = "order_in_use"
"""Code of a step whose child could not be started: its order has a saga of that definition."""


class ChildEvents(Waits):
    """Decides about messages of parents. All of them may come twice, late, or for another saga."""

    __slots__ = ()

    def message_of_parent(self, message: Message) -> None:
        """Handle a message that is no reply: one of a parent; any other is ignored."""
        if isinstance(message, UndoChild):
            self.undo_child(message)
        elif type(message) is self.saga.starts_on and (parent := parent_of(message)):
            self.started_again(message, parent)
        elif self.status >= COMPLETED:
            self.ignore(message, "the saga has ended")
        else:
            self.ignore(message, "no step of this saga takes this reply")

    def started_again(self, message: Message, parent: Parent) -> None:
        """Answer a parent that starts the saga again, because it waits for the outcome."""
        if parent_of(self.before.start) != parent:
            reason = f"order {message.order_id} has a saga {self.saga.name!r} already"
            self.report(parent, CANCELLED, code=ORDER_IN_USE, reason=reason)
            self.ignore(message, f"{reason}, which is not the child of {parent.saga_id}")
        elif self.status >= COMPLETED:
            self.report(parent, self.status)
            self.ignore(message, "the saga has ended: its parent is told again")
        else:
            self.ignore(message, "duplicate: the saga has started")

    def undo_child(self, message: UndoChild) -> None:
        """Compensate the saga for its parent, even if it has completed."""
        parent = Parent(message.parent, message.step)
        if parent_of(self.before.start) != parent:
            self.report(parent, CANCELLED, code=ORDER_IN_USE, reason="it was never started")
            return self.ignore(message, f"this saga is not the child of {parent.saga_id}")
        if self.status == CANCELLED:
            self.report(parent, CANCELLED)
            return self.ignore(message, "duplicate: the saga was undone, its parent is told again")
        if message.running_only and self.status == COMPLETED:
            return self.ignore(message, "the saga has completed, and needs no undo")
        cancel = CancelSaga(order_id=message.order_id)
        if reason := refusal(cancel, self.saga, self):
            return self.ignore(message, reason)
        self.stage = min(self.stage, len(self.saga.stages) - 1)
        self.ended_at = 0.0
        undo: list[str] = []
        sent: list[str] = []
        self.note("saga.undo_asked", by=parent.saga_id, undo=undo, sent=sent)
        undo += self.compensate("", UNDONE_BY_PARENT, f"{parent.saga_id} undoes it")
        self.go_back(sent)
        return None

    def report_end(self) -> None:
        """Notify the parent, if there is one, of how the saga ended."""
        parent = parent_of(self.before.start)
        if parent:
            self.report(parent, self.status)

    def report(self, parent: Parent, status: int, *, code: str = "", reason: str = "") -> None:
        """Notify `parent` that its child has completed, or was cancelled."""
        start, child = self.before.start, self.before.saga_id
        event = "completed" if status == COMPLETED else f"cancelled:{parent.saga_id}/{parent.step}"
        fields: dict[str, Any] = {
            "order_id": parent.order_id,
            "event_id": f"{child}/child:{event}",
            "saga_id": parent.saga_id,
            "step": parent.step,
            "causation_id": self.cause,
            "occurred_at": iso(self.now),
            "schema_version": SCHEMA_VERSION,
            "traceparent": start.traceparent,
            "tracestate": start.tracestate,
            "child": child,
        }
        if status == COMPLETED:
            self.sends.append(Send(CHILDREN, ChildCompleted(**fields)))
            return
        fields |= {"code": code or self.code, "reason": reason or self.reason}
        self.sends.append(Send(CHILDREN, ChildCancelled(**fields)))


def never_started(saga: "Saga[Any]", message: UndoChild) -> Message:
    """The start of a child that is undone before it was started.

    Raises msgspec.ValidationError if the message holds no such start.
    """
    start: Message = msgspec.convert(message.start, saga.starts_on)
    event_id = child_event_id(message.parent, message.step, 0)
    return replace(
        start,
        event_id=event_id,
        saga_id=message.parent,
        step=message.step,
        attempt=0,
        traceparent=message.traceparent,
        tracestate=message.tracestate,
    )
