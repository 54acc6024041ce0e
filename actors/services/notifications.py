"""The notification service: one message to the customer about each order."""

from functools import cache, partial
from typing import Any, ClassVar, Protocol

import msgspec
import structlog
from msgspec.structs import replace
from thespian.actors import ActorAddress

from order_sagas.actors.clock import iso
from order_sagas.actors.entities import Entity, Notification
from order_sagas.actors.errors import error_text
from order_sagas.actors.messages import (
    EXCEPTION,
    CallOutcome,
    Internal,
    Message,
    OrderCancelled,
    OrderCompleted,
)
from order_sagas.actors.participants import NOTIFICATIONS
from order_sagas.actors.protocol import ExternalCall
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.services.service import NOTHING, Answer, Handler, Service

log = structlog.get_logger("notifications")


@cache
def _bound() -> Any:
    """Bound at the first line: a proxy costs a quarter more for each."""
    return log.bind()


ATTEMPTS = 10
"""How often a notification is tried before it is given up."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds from a failed attempt to the next: after the first, and at most."""


class Channel(Protocol):
    """A way to reach a customer.

    One that is not `local` is used after the commit, on another thread; an exception means that
    the message was not sent, and it is tried again with the same id. It must have a timeout.
    """

    @property
    def name(self) -> str:
        """What the channel is called in the tables."""
        ...

    @property
    def local(self) -> bool:
        """Whether it is used inside the batch."""
        ...

    def send(self, notification: Notification, now: float) -> None:
        """Send it. Ids are stable, so a channel that can, sends each once."""
        ...


class LogChannel:
    """Writes the message to the log, and nowhere else."""

    name = "log"
    local = True

    def send(self, notification: Notification, now: float) -> None:
        """One line at level info."""
        _bound().info(
            "customer.notified",
            timestamp=iso(now),
            order_id=notification.order_id,
            about=notification.about,
            text=notification.text,
        )


class NotificationSent(CallOutcome):
    """The outcome of a call to the channel."""


class NotificationOwed(Internal):
    """The notification is stored as pending: send it, or wait until its next attempt is due."""


class NotificationDue(Internal):
    """The pause after a failed attempt is over. `attempts` tells which, so that an old timer is
    recognised.
    """

    attempts: int


class UseChannel(msgspec.Struct, frozen=True):
    """Tells the notification service how to reach customers."""

    channel: Any
    since: float = 0.0
    """When the process began: what failed before that is tried at once."""


class NotificationService(Service):
    """One notification an order, whatever comes twice.

    It is stored as PENDING before it is sent, and tried up to ten times, further and further
    apart; then it is FAILED and stays visible. A process that starts tries at once what failed
    before; one that loses its shards and gains them again keeps to the pauses.
    """

    participant: ClassVar[Participant] = NOTIFICATIONS
    entity: ClassVar[type[Entity]] = Notification
    reminder: ClassVar[type[Message] | None] = NotificationOwed

    def __init__(self) -> None:
        super().__init__()
        self._channel: Channel = LogChannel()
        self._since = 0.0

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, UseChannel):
            self._channel = message.channel
            self._since = message.since
        else:
            super().receive_other(message, sender)

    def completed(self, known: Notification | None, event: OrderCompleted, now: float) -> Answer:
        text = f"Your order {event.order_id} is complete."
        return self._notify(known, event, "completed", text, event.customer_id, now)

    def cancelled(self, known: Notification | None, event: OrderCancelled, now: float) -> Answer:
        text = f"Your order {event.order_id} was cancelled: {event.reason or event.code}."
        return self._notify(known, event, "cancelled", text, event.customer_id, now)

    def sent(self, known: Notification | None, outcome: NotificationSent, now: float) -> Answer:
        if known is None or known.status != Notification.PENDING:
            return NOTHING
        attempts = known.attempts + 1
        if not outcome.error:
            return Answer(
                (
                    replace(
                        known,
                        status=Notification.SENT,
                        sends=known.sends + 1,
                        attempts=attempts,
                        error="",
                        updated_at=now,
                    ),
                )
            )
        failed = replace(known, attempts=attempts, error=outcome.error, updated_at=now)
        if attempts >= ATTEMPTS:
            log.error(
                "customer.not_notified", order_id=known.order_id, attempts=attempts,
                error=outcome.error,
            )  # fmt: skip
            return Answer((replace(failed, status=Notification.FAILED),))
        due = NotificationDue(order_id=known.order_id, attempts=attempts)
        return Answer((failed,), later=((_pause_after(attempts), due),))

    def owed(self, known: Notification | None, owed: NotificationOwed, now: float) -> Answer:
        if known is None or known.status != Notification.PENDING:
            return NOTHING
        if known.attempts and known.updated_at > self._since:
            pause = _pause_after(known.attempts)
            left = min(known.updated_at + pause - now, pause)  # a clock may have been set back
            if left > 0:
                due = NotificationDue(order_id=known.order_id, attempts=known.attempts)
                return Answer(later=((left, due),))
        return Answer(calls=(self._call(known, now),))

    def due(self, known: Notification | None, due: NotificationDue, now: float) -> Answer:
        if known is None or known.status != Notification.PENDING or known.attempts != due.attempts:
            return NOTHING
        return Answer(calls=(self._call(known, now),))

    def _notify(
        self, known: Notification | None, event: Message, about: str, text: str,
        customer_id: str, now: float,
    ) -> Answer:  # fmt: skip
        if known:
            return NOTHING
        local = self._channel.local
        notification = Notification(
            order_id=event.order_id,
            status=Notification.SENT if local else Notification.PENDING,
            about=about,
            customer_id=customer_id,
            channel=self._channel.name,
            text=text,
            sends=1 if local else 0,
            attempts=1 if local else 0,
            updated_at=now,
        )
        if local:
            self._channel.send(notification, now)
            return Answer((notification,))
        return Answer((notification,), calls=(self._call(notification, now),))

    def _call(self, notification: Notification, now: float) -> ExternalCall:
        return ExternalCall(
            service=self.participant.name,
            operation="send",
            key=notification.order_id,
            order_id=notification.order_id,
            make=partial(self._channel.send, notification, now),
            then=partial(_outcome, notification.order_id),
        )

    handlers: ClassVar[dict[type[Message], Handler]] = {
        OrderCompleted: completed,
        OrderCancelled: cancelled,
        NotificationSent: sent,
        NotificationOwed: owed,
        NotificationDue: due,
    }


def _outcome(order_id: str, result: None, error: BaseException | None) -> NotificationSent:
    if error is None:
        return NotificationSent(order_id=order_id)
    return NotificationSent(order_id=order_id, failure=EXCEPTION, error=error_text(error))


def _pause_after(attempts: int) -> float:
    """Seconds from the attempt of this number, which failed, to the next."""
    return min(FIRST_WAIT * 2.0 ** (attempts - 1), LONGEST_WAIT)
