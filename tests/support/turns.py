"""A saga that the test advances with messages and time; it keeps all effects."""

from typing import Any

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas import (
    Decision,
    LogEvent,
    Saga,
    SagaState,
    Send,
    Status,
    Timer,
    advance,
)
from order_sagas.actors.sagas.places import is_valid


class Turns:
    """A saga, with all messages it has sent, its log events, and its timers."""

    def __init__(self, saga: Saga[Any], start: Message | None = None, now: float = 1000.0) -> None:
        self.saga = saga
        self.now = now
        self.progress: SagaState | None = None
        self.sends: list[Send] = []
        self.notes: list[LogEvent] = []
        self.wakes: list[Timer] = []
        if start:
            self.deliver(start)

    def deliver(self, message: Message | Timer, after: float = 0.0) -> Decision:
        """Let time pass, and deliver a message."""
        self.now += after
        decision = advance(self.saga, self.progress, message, self.now)
        self.progress = decision.progress
        self.sends += decision.sends
        self.notes += decision.notes
        self.wakes += decision.wakes
        return decision

    def time_out(self) -> Decision:
        """Jump to the next valid deadline, and fire its timer."""
        assert self.progress
        due = self.progress.deadline
        assert due is not None
        wake = next(wake for wake in self.wakes if wake.at == due and self._waits(wake))
        self.now = due
        return self.deliver(wake)

    def _waits(self, wake: Timer) -> bool:
        assert self.progress
        return is_valid(self.progress, wake)

    def answer(self, kind: type[Message], **fields: Any) -> Decision:
        """Deliver a message about the order."""
        assert self.progress
        return self.deliver(kind(order_id=self.progress.order_id, **fields))

    @property
    def status(self) -> Status:
        """The status of the saga."""
        assert self.progress
        return Status(self.progress.status)

    @property
    def sent(self) -> list[str]:
        """Return the names of the messages sent, oldest first."""
        return [type(send.message).__name__ for send in self.sends]

    @property
    def ignored(self) -> list[str]:
        """Return the reasons for which messages were ignored."""
        return [n.fields["reason"] for n in self.notes if n.event == "saga.message_ignored"]
