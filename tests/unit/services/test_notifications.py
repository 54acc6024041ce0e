"""A customer is notified once; failures are retried a limited number of times."""

from typing import Any

import pytest

from order_sagas.actors.entities import Notification
from order_sagas.actors.messages import Message, OrderCancelled, OrderCompleted
from order_sagas.actors.services.notifications import (
    ATTEMPTS,
    LONGEST_WAIT,
    NotificationDue,
    NotificationOwed,
    NotificationSent,
    NotificationService,
)
from order_sagas.actors.services.service import Answer, UseClient

COMPLETED = OrderCompleted(order_id="o", customer_id="c")
CANCELLED = OrderCancelled(order_id="o", customer_id="c", code="NO_STOCK", reason="no pens left")
SENT = NotificationSent(order_id="o")
FAILED = NotificationSent(order_id="o", error="the mail server is away")


class Letterbox:
    """A channel that stores its notifications, and fails as the test decides."""

    name = "letterbox"

    def __init__(self, *, local: bool) -> None:
        self.local = local
        self.letters: list[str] = []

    def send(self, notification: Notification, now: float) -> None:
        """Keep it."""
        self.letters.append(notification.text)


class Customer:
    """The service, the channel to the customer, and the notification that is stored."""

    def __init__(self, *messages: Message, local: bool = False) -> None:
        self.letterbox = Letterbox(local=local)
        self.service = NotificationService()
        nobody: Any = None
        self.service.receive_other(UseClient(self.letterbox), nobody)
        self.known: Notification | None = None
        self.now = 1000.0
        for message in messages:
            self.deliver(message)

    def deliver(self, message: Message) -> Answer:
        """Return the service's answer; its entities are stored, its calls are left to the test."""
        handler = self.service.handlers[type(message)]
        answer = handler(self.service, self.known, message, self.now)
        for write in answer.writes:
            assert isinstance(write, Notification)
            self.known = write
        return answer

    @property
    def status(self) -> str | None:
        """The notification's, if there is one."""
        return self.known.status if self.known else None


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (COMPLETED, "Your order o is complete."),
        (CANCELLED, "Your order o was cancelled: no pens left."),
        (
            OrderCancelled(order_id="o", code="NO_STOCK", reason=""),
            "Your order o was cancelled: NO_STOCK.",
        ),
    ],
)
def test_the_customer_is_notified_of_the_end_of_the_order(event: Message, text: str) -> None:
    customer = Customer(event, local=True)

    assert [text] == customer.letterbox.letters
    assert Notification.SENT == customer.status


def test_a_repeated_end_is_not_notified_again() -> None:
    """Also with other content: the first one counts."""
    customer = Customer(COMPLETED, COMPLETED, CANCELLED, local=True)

    assert ["Your order o is complete."] == customer.letterbox.letters


def test_an_external_channel_is_used_after_the_commit() -> None:
    """The pending notification is stored first, so that a crash loses nothing."""
    customer = Customer()
    (call,) = customer.deliver(COMPLETED).calls

    assert (Notification.PENDING, []) == (customer.status, customer.letterbox.letters)
    call.make()
    assert ["Your order o is complete."] == customer.letterbox.letters
    assert SENT == call.then(None, None)


def test_a_sent_notification_is_counted_once() -> None:
    customer = Customer(COMPLETED, SENT, SENT)

    assert customer.known
    assert (Notification.SENT, 1) == (customer.status, customer.known.sends)


def test_a_failure_is_retried_with_growing_waits() -> None:
    customer = Customer(COMPLETED)
    waits = [customer.deliver(FAILED).later[0][0] for _ in range(ATTEMPTS - 1)]

    assert waits == sorted(waits)
    assert [1.0, 2.0, 4.0] == waits[:3]
    assert LONGEST_WAIT >= waits[-1]
    assert 1 == len(customer.deliver(NotificationDue(order_id="o", attempts=ATTEMPTS - 1)).calls)


def test_a_reminder_keeps_to_the_pause_after_a_failure() -> None:
    """A regained shard does not retry a mail server earlier."""
    customer = Customer(COMPLETED, FAILED, FAILED)
    failed = customer.known

    early = customer.deliver(NotificationOwed(order_id="o"))
    customer.now += 1.5
    later = customer.deliver(NotificationOwed(order_id="o"))
    customer.now += 0.5
    due = customer.deliver(NotificationOwed(order_id="o"))

    assert ([2.0], [0.5]) == ([s for s, _ in early.later], [s for s, _ in later.later])
    assert ((), (), 1) == (early.calls, later.calls, len(due.calls))
    assert failed == customer.known


def test_a_restart_retries_failed_notifications_at_once() -> None:
    """The restart may have fixed the cause."""
    customer = Customer(COMPLETED, FAILED)
    nobody: Any = None
    customer.service.receive_other(UseClient(customer.letterbox, customer.now + 0.1), nobody)

    assert 1 == len(customer.deliver(NotificationOwed(order_id="o")).calls)


def test_a_clock_that_was_set_back_makes_a_pause_no_longer() -> None:
    customer = Customer(COMPLETED, FAILED)
    customer.now -= 3600

    assert [1.0] == [s for s, _ in customer.deliver(NotificationOwed(order_id="o")).later]


def test_a_timer_of_an_earlier_attempt_is_ignored() -> None:
    """Another worker has tried it since, and waits with a timer of its own."""
    customer = Customer(COMPLETED, FAILED, FAILED)

    assert Answer() == customer.deliver(NotificationDue(order_id="o", attempts=1))
    assert 1 == len(customer.deliver(NotificationDue(order_id="o", attempts=2)).calls)


def test_after_the_last_attempt_it_stays_failed() -> None:
    customer = Customer(COMPLETED, *[FAILED] * ATTEMPTS)

    assert customer.known
    assert (Notification.FAILED, "the mail server is away") == (
        customer.status,
        customer.known.error,
    )
    assert () == customer.deliver(NotificationOwed(order_id="o")).calls


def test_an_unknown_order_has_no_pending_notification() -> None:
    assert () == Customer().deliver(NotificationOwed(order_id="o")).calls
    assert () == Customer().deliver(SENT).writes
