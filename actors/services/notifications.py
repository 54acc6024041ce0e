"""The notification service: sends the customer one message about each order."""

from functools import cache, partial
from typing import Any, ClassVar, Protocol

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
from order_sagas.actors.services.logger import logger_of
from order_sagas.actors.services.service import (
    NOTHING,
    Answer,
    Handler,
    Service,
    UseClient,
)


@cache
def _bound() -> Any:
    """The bound logger. Bound at first use, after logging is set up; a proxy is 25% slower."""
    return logger_of("notifications").bind()


ATTEMPTS = 10
"""How often a notification is tried before it fails for good."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds between a failed attempt and the next: after the first attempt, and at most."""


class Channel(Protocol):
    """A way to reach a customer.

    A channel that is not `local` is used after the commit, on another thread. If `send` raises, the
    message counts as not sent, and is tried again with the same id. `send` must have a timeout.
    """

    @property
    def name(self) -> str:
        """Name of the channel, as it is stored with notifications."""
        ...

    @property
    def local(self) -> bool:
        """True if `send` is called inside the batch."""
        ...

    def send(self, notification: Notification, now: float) -> None:
        """Send the notification; `now` is in seconds since the Unix epoch.

        The order id is the same in each attempt, so that a channel can recognise a repetition.
        """
        ...


class LogChannel:
    """Writes notifications to the log, and sends them nowhere."""

    name = "log"
    local = True

    def send(self, notification: Notification, now: float) -> None:
        """Write one line at level info."""
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
    """A notification is stored as PENDING: send it, or wait until its next attempt is due."""


class NotificationDue(Internal):
    """The wait after a failed attempt is over.

    `attempts` is the number of attempts when the timer was set, so that a stale timer is
    recognised.
    """

    attempts: int


class NotificationService(Service):
    """Sends one notification for each order, however often its event is delivered.

    A notification is stored as PENDING before it is sent, and tried up to ATTEMPTS times with
    growing waits; then it is FAILED. A process that starts repeats at once what failed before its
    start. One that loses shards and gets them back keeps to the waits.
    """

    participant: ClassVar[Participant] = NOTIFICATIONS
    entity: ClassVar[type[Entity]] = Notification
    reminder: ClassVar[type[Message] | None] = NotificationOwed

    def __init__(self) -> None:
        super().__init__()
        self._channel: Channel = LogChannel()
        self._since = 0.0

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """Handle `UseClient`; its client is the channel."""
        if isinstance(message, UseClient):
            self._channel = message.client
            self._since = message.since
        else:
            super().receive_other(message, sender)

    def completed(self, known: Notification | None, event: OrderCompleted, now: float) -> Answer:
        """Notify the customer that the order is complete."""
        text = f"Your order {event.order_id} is complete."
        return self._notify(known, event, "completed", text, event.customer_id, now)

    def cancelled(self, known: Notification | None, event: OrderCancelled, now: float) -> Answer:
        """Notify the customer that the order was cancelled, and why."""
        text = f"Your order {event.order_id} was cancelled: {event.reason or event.code}."
        return self._notify(known, event, "cancelled", text, event.customer_id, now)

    def sent(self, known: Notification | None, outcome: NotificationSent, now: float) -> Answer:
        """Store the outcome of an attempt; after a failure, schedule the next one."""
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
            logger_of("notifications").error(
                "customer.not_notified", order_id=known.order_id, attempts=attempts,
                error=outcome.error,
            )  # fmt: skip
            return Answer((replace(failed, status=Notification.FAILED),))
        due = NotificationDue(order_id=known.order_id, attempts=attempts)
        return Answer((failed,), later=((_pause_after(attempts), due),))

    def owed(self, known: Notification | None, owed: NotificationOwed, now: float) -> Answer:
        """Send a pending notification, or wait if its next attempt is not due yet."""
        if known is None or known.status != Notification.PENDING:
            return NOTHING
        if known.attempts and known.updated_at > self._since:
            pause = _pause_after(known.attempts)
            # At most `pause`, in case the clock was set back.
            left = min(known.updated_at + pause - now, pause)
            if left > 0:
                due = NotificationDue(order_id=known.order_id, attempts=known.attempts)
                return Answer(later=((left, due),))
        return Answer(calls=(self._call(known, now),))

    def due(self, known: Notification | None, due: NotificationDue, now: float) -> Answer:
        """Send a pending notification, unless the timer is stale."""
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
    """Seconds to wait after failed attempt number `attempts`, counted from 1."""
    return min(FIRST_WAIT * 2.0 ** (attempts - 1), LONGEST_WAIT)
