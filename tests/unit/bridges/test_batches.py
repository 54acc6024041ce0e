"""One batch is one transaction: nothing of it is lost, and nothing happens twice."""

import sqlite3

import msgspec
import pytest

from order_sagas.actors.entities import Order, Payment
from order_sagas.actors.messages import OrderCreated, PaymentCompleted
from order_sagas.actors.sagas import minutes
from order_sagas.actors.services.payment_gateway import Approved, Charge, Refund
from order_sagas.bridges.records.record import Outgoing
from tests.support.embedded import Crash, EmbeddedSystem, an_order


class Faulty:
    """A local provider that raises for the named orders, a number of times."""

    local = True

    def __init__(self, **times: int) -> None:
        self.left = times
        self.charged: list[str] = []

    def charge(self, charge: Charge) -> Approved:
        if self.left.get(charge.order_id, 0):
            self.left[charge.order_id] -= 1
            raise RuntimeError("out of order")
        self.charged.append(charge.order_id)
        return Approved("ch")

    def refund(self, refund: Refund) -> Approved:
        return Approved("ch")


def encoded(system: EmbeddedSystem, *orders: OrderCreated) -> list[Outgoing]:
    """Orders as encoded records that are not appended yet."""
    encode = msgspec.json.encode
    return [system.log.outgoing("order-events", o.order_id, encode(o)) for o in orders]


def test_a_handler_that_raises_once_is_retried(tmp_path) -> None:
    """The order completes."""
    with EmbeddedSystem(tmp_path, gateway=Faulty(bad=1)) as system:
        system.load({"PEN": 10})
        system.put(an_order("good"), an_order("bad"))

        assert ["COMPLETED", "COMPLETED"] == [system.status("good"), system.status("bad")]
        assert [] == system.records("dead-letters")
        assert [] == system.violations()


def test_a_handler_that_keeps_raising_makes_only_its_record_a_dead_letter(tmp_path) -> None:
    """The dead letter is the whole record; the rest of the batch is committed."""
    with EmbeddedSystem(tmp_path, gateway=Faulty(bad=2)) as system:
        system.load({"PEN": 10})
        system.put(an_order("good"), an_order("bad"), an_order("better"))

        assert ["COMPLETED", "RUNNING", "COMPLETED"] == [
            system.status(order) for order in ("good", "bad", "better")
        ]
        (letter,) = system.records("dead-letters")
        assert ("PROCESS_PAYMENT", "bad", 300) == (
            letter["status"], letter["orderId"], letter["amount"],
        )  # fmt: skip
        assert system.entity(Payment, "bad") is None

        system.advance(minutes(1))  # the saga asks again

        assert "COMPLETED" == system.status("bad")
        assert [] == system.violations()


def test_unreadable_records_become_dead_letters_unchanged(tmp_path) -> None:
    """Not JSON, no value, no receiver: the orders around them are handled."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("before"))
        system.put_raw("order-events", b"\xff\x00poison", headers=(("from", b"elsewhere"),))
        system.put_raw("order-events", None)
        system.put_raw("payment-events", b'{"orderId":"x","status":"STOCK_RESERVED"}')
        system.put(an_order("after"))

        rows = list(
            system.log.db.rows(
                "SELECT value, headers FROM log WHERE topic = 'dead-letters' ORDER BY position", ()
            )
        )
        assert [b"\xff\x00poison", None, b'{"orderId":"x","status":"STOCK_RESERVED"}'] == [
            value for value, _ in rows
        ]
        assert b"from" in rows[0][1]
        assert ["COMPLETED"] * 2 == [system.status("before"), system.status("after")]


def test_duplicates_in_one_batch_are_one_order(tmp_path) -> None:
    """The second one sees the changes of the first, which are not stored yet."""
    with EmbeddedSystem(tmp_path, gateway=(gateway := Faulty())) as system:
        system.load({"PEN": 10})
        system.put(*[an_order("o-1")] * 5, PaymentCompleted(order_id="o-1"))

        assert ["o-1"] == gateway.charged
        assert 1 == system.statuses_of("o-1").count("PROCESS_PAYMENT")
        assert [] == system.violations()


def test_an_order_id_used_again_with_other_content_is_a_dead_letter(tmp_path) -> None:
    """The first order is kept."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1", customer_id="ann"))
        system.put(an_order("o-1", customer_id="bob"))

        order = system.entity(Order, "o-1")
        assert order
        assert "ann" == order.customer_id
        assert ["bob"] == [letter["customerId"] for letter in system.records("dead-letters")]


def test_a_batch_of_timers_alone_is_stored(tmp_path) -> None:
    """Although it has no record."""
    settings = {"payment_silent_rate": 1.0, "payment_silent_attempts": 9}
    with EmbeddedSystem(tmp_path, settings=settings) as system:
        system.put(an_order("o-1"))
        before = system.saga("o-1")
        system.advance(30.0)
        after = system.saga("o-1")

        assert before
        assert after
        assert "step_timed_out process payment" == system.history("o-1")[-1]
        assert after.seq == before.seq + 1


def test_a_record_of_two_fields_drives_a_saga(tmp_path) -> None:
    """An order without amount and customer is valid."""
    with EmbeddedSystem(tmp_path) as system:
        system.put_raw("order-events", b'{"orderId":"o-1","status":"ORDER_CREATED"}')

        assert "COMPLETED" == system.status("o-1")
        assert [] == system.violations()


def test_a_locked_database_delays_a_commit_and_loses_nothing(tmp_path, monkeypatch) -> None:
    """The commit is retried, with all changes of the batch."""
    monkeypatch.setattr("order_sagas.bridges.storage.sqlite.BUSY_SECONDS", 0.01)
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        database = system.settings.database.removeprefix("sqlite:///")
        system.append(*encoded(system, an_order("o-1")))
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        system.run()
        while_locked = system.status("o-1")
        other.execute("ROLLBACK")
        system.advance(10.0)

        assert ("", "COMPLETED") == (while_locked, system.status("o-1"))
        assert [] == system.violations()
        other.close()


@pytest.mark.parametrize("point", ["before commit", "after commit"])
@pytest.mark.parametrize("nth", range(1, 5))
def test_a_crash_at_a_commit_changes_no_outcome(tmp_path, point, nth) -> None:
    """Before the commit nothing is stored, after it everything; a restart continues from there."""
    left = nth

    def watch(where: str) -> None:
        nonlocal left
        left -= where == point
        if where == point and left == 0:
            raise Crash

    settings = {"batch_size": 1, "payment_silent_rate": 1.0, "payment_silent_attempts": 1}
    system = EmbeddedSystem(tmp_path, settings=settings, watch=watch)
    crashes = 0

    def place() -> None:
        system.append(*encoded(system, an_order("o-1"), an_order("o-2")))
        system.run()

    with system:
        for step in (lambda: system.load({"PEN": 2}), place, lambda: system.advance(minutes(5))):
            try:
                step()
            except Crash:
                crashes += 1
                system.restart()
        system.run()
        system.advance(minutes(5))

        assert 1 == crashes
        assert ["COMPLETED", "CANCELLED"] == [system.status("o-1"), system.status("o-2")]
        assert [] == system.violations()
