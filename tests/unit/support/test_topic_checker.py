"""The checker of topics and ledgers finds each kind of fault, and none in consistent data."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.support.topic_checker import Moved, Seen, problems

LINES = [{"sku": "PEN", "quantity": 2, "unitPrice": 150}]
ORDER, PAYMENT, STOCK = "order-events", "payment-events", "stock-events"
NOTICES, LETTERS = "notification-events", "dead-letters"


@attrs.define
class Books:
    """The data that the checker reads; tests add a fault to it."""

    records: list[Seen] = attrs.field(factory=list)
    submitted: set[str] = attrs.field(factory=set)
    ledger: list[Moved] = attrs.field(factory=list)
    on_hand: dict[str, int] = attrs.field(factory=dict)

    def add(self, topic: str, status: str, order_id: str, at: int = 0, **fields: Any) -> None:
        """Append a record that was decided at this second."""
        if at:
            event = f"{order_id}/{status}/{topic}/{fields.pop('n', 1)}"
            fields = {"eventId": event, "occurredAt": f"2026-01-01T00:00:{at:02}Z", **fields}
        value = {"status": status, "orderId": order_id, **fields}
        offset = sum(each.topic == topic for each in self.records)
        self.records.append(Seen(topic, 0, offset, value))

    def drop(self, topic: str, status: str) -> None:
        """Remove all records with this status."""
        self.records = [r for r in self.records if (r.topic, r.status) != (topic, status)]

    @property
    def problems(self) -> list[str]:
        return problems(self.records, self.submitted, self.ledger, self.on_hand)


def place(books: Books, order_id: str) -> None:
    books.submitted.add(order_id)
    books.add(ORDER, "ORDER_CREATED", order_id, currency="EUR", lines=LINES)
    books.add(PAYMENT, "PROCESS_PAYMENT", order_id, 1, amount=300, currency="EUR")
    books.add(PAYMENT, "PAYMENT_COMPLETED", order_id, 2, amount=300, currency="EUR")
    books.ledger.append(Moved("charge", order_id, 300, "EUR"))
    books.add(STOCK, "RESERVE_STOCK", order_id, 3, lines=LINES)


def good_books() -> Books:
    """A completed order, one that is cancelled after its charge, and records that came twice."""
    books = Books()
    books.add(STOCK, "LOAD_STOCK", "delivery", lines=[{"sku": "PEN", "quantity": 10}])
    place(books, "done")
    books.add(STOCK, "STOCK_RESERVED", "done", 4)
    books.add(ORDER, "ORDER_COMPLETED", "done", 5)
    books.add(NOTICES, "ORDER_COMPLETED", "done", 5)
    place(books, "off")
    books.add(STOCK, "STOCK_RESERVATION_FAILED", "off", 4, code="out_of_stock")
    books.add(PAYMENT, "ROLLBACK_PAYMENT", "off", 5)
    books.add(PAYMENT, "PAYMENT_ROLLED_BACK", "off", 6, amount=300)
    books.ledger.append(Moved("refund", "off", 300, "EUR"))
    books.add(ORDER, "ORDER_CANCELLED", "off", 7)
    books.add(NOTICES, "ORDER_CANCELLED", "off", 7)
    books.on_hand["PEN"] = 8
    books.add(ORDER, "ORDER_CREATED", "done", currency="EUR", lines=LINES)
    books.add(ORDER, "ORDER_COMPLETED", "done", 5)
    books.add(PAYMENT, "PAYMENT_ROLLED_BACK", "off", 9, amount=300, n=2, attempt=2)
    books.add(STOCK, "RESERVE_STOCK", "off", 3, lines=LINES)
    refused(books, "off")
    return books


def refused(books: Books, order_id: str) -> None:
    """After the end, a command is answered whose compensation came first."""
    cause = f"{order_id}/RESERVE_STOCK/{STOCK}/1"
    books.add(
        STOCK, "STOCK_RESERVATION_FAILED", order_id, 9, n=2, code="rolled_back", causationId=cause
    )


def test_consistent_data_has_no_problems() -> None:
    """Repeated records and repeated replies are none."""
    assert [] == good_books().problems


def lost(books: Books) -> None:
    books.submitted.add("gone")


def unknown(books: Books) -> None:
    books.ledger.append(Moved("charge", "nobody", 1, "EUR"))


def no_end(books: Books) -> None:
    books.drop(ORDER, "ORDER_COMPLETED")


def two_ends(books: Books) -> None:
    books.add(ORDER, "ORDER_CANCELLED", "done", 5)


def told_otherwise(books: Books) -> None:
    books.drop(NOTICES, "ORDER_CANCELLED")
    books.add(NOTICES, "ORDER_COMPLETED", "off", 7)


def charged_twice(books: Books) -> None:
    books.ledger.append(Moved("charge", "done", 300, "EUR"))


def charged_another_amount(books: Books) -> None:
    books.ledger[0] = Moved("charge", "done", 100, "EUR")


def completed_and_refunded(books: Books) -> None:
    books.ledger.append(Moved("refund", "done", 300, "EUR"))


def refund_missing(books: Books) -> None:
    books.ledger.remove(Moved("refund", "off", 300, "EUR"))


def refunded_in_part(books: Books) -> None:
    books.ledger[-1] = Moved("refund", "off", 200, "EUR")


def oversold(books: Books) -> None:
    books.on_hand["PEN"] = 7


def sold_what_was_never_loaded(books: Books) -> None:
    books.drop(STOCK, "LOAD_STOCK")


def other_goods(books: Books) -> None:
    books.add(STOCK, "RESERVE_STOCK", "done", 4, lines=[{"sku": "PEN", "quantity": 3}], n=2)


def goods_kept(books: Books) -> None:
    books.add(STOCK, "STOCK_RESERVED", "off", 4)


def goods_released(books: Books) -> None:
    books.add(STOCK, "STOCK_ROLLED_BACK", "done", 4)


def command_after_the_end(books: Books) -> None:
    books.add(PAYMENT, "PROCESS_PAYMENT", "done", 8, amount=300, currency="EUR", n=2)


def new_reply_after_the_end(books: Books) -> None:
    books.add(PAYMENT, "PAYMENT_FAILED", "done", 8)


def command_answered_late(books: Books) -> None:
    """It was published once, so that nothing explains why it came after its compensation."""
    refused(books, "done")


def dead_letter(books: Books) -> None:
    books.add(LETTERS, "ORDER_CREATED", "done")


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (lost, "gone: no ORDER_CREATED in the topics"),
        (unknown, "nobody: nobody created this order"),
        (no_end, "done: 0 terminal events in order-events"),
        (two_ends, "done: 2 terminal events in order-events"),
        (told_otherwise, "off: ORDER_CANCELLED in order-events, ORDER_COMPLETED in notif"),
        (charged_twice, "done: completed, worth 300, and charged [(300, 'EUR'), (300, 'EUR')]"),
        (charged_another_amount, "done: completed, worth 300, and charged [(100, 'EUR')]"),
        (completed_and_refunded, "done: completed, and refunded [(300, 'EUR')]"),
        (refund_missing, "off: cancelled, charged [(300, 'EUR')] and refunded []"),
        (refunded_in_part, "off: cancelled, charged [(300, 'EUR')] and refunded [(200, 'EUR')]"),
        (oversold, "PEN: 10 loaded, 2 sold by topics, 7 on hand"),
        (sold_what_was_never_loaded, "PEN: 0 loaded, 2 sold by topics, 8 on hand"),
        (other_goods, "done: other goods were reserved than were ordered"),
        (goods_kept, "off: cancelled, and its goods are still reserved"),
        (goods_released, "done: completed, and its goods reserved: True, released: True"),
        (command_after_the_end, "done: PROCESS_PAYMENT (done/PROCESS_PAYMENT/payment-events/2) af"),
        (new_reply_after_the_end, "done: PAYMENT_FAILED (done/PAYMENT_FAILED/payment-events/1) af"),
        (command_answered_late, "done: STOCK_RESERVATION_FAILED (done/STOCK_RESERVATION_FAILED/"),
        (dead_letter, "dead letter: {'status': 'ORDER_CREATED', 'orderId': 'done'}"),
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[Books], None], said: str) -> None:
    """Each alone."""
    books = good_books()
    plant(books)

    assert [said] == [each[: len(said)] for each in books.problems if each.startswith(said)]
