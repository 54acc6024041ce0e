"""A paused service gets nothing, and loses nothing: a whole system on virtual time."""

from typing import Any, ClassVar

import pytest
from attrs import evolve

from order_sagas.actors.entities import Order, Payment
from order_sagas.actors.messages import CancelSaga, PaymentCompleted, ProcessPayment
from order_sagas.actors.sagas.definition import hours, minutes
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.operations import (
    AlreadySoError,
    NoSuchTargetError,
    PauseOperations,
    ReasonNeededError,
    pauses_that_last,
)
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.deferred import INTAKE
from tests.support.embedded import Crash, EmbeddedSystem, an_order

NAMES = ("orders", "payments", "stock", "notifications", INTAKE)


class Charges(SimulatedGateway):
    """A provider that records the order of its charges."""

    charged: ClassVar[list[str]] = []

    def charge(self, charge):
        Charges.charged.append(charge.order_id)
        return super().charge(charge)


@pytest.fixture
def gateway():
    """The provider of the system."""
    Charges.charged.clear()
    return Charges()


@pytest.fixture
def system(tmp_path, gateway):
    """A system with stock and small batches."""
    with EmbeddedSystem(tmp_path, gateway=gateway, settings={"batch_size": 4}) as system:
        system.load({"PEN": 1000})
        yield system


@pytest.fixture
def operations(system):
    """The operations that pause its services."""
    return PauseOperations(system.log, NAMES, system.clock)


def kept(system):
    """The number of deferred messages, by pause."""
    with queries.reading(system.settings.database) as db:
        return {pause.name: pause.kept for pause in pauses_that_last(db)}


class FailsOneRead:
    """A connection on which one read of the pauses fails."""

    refuses: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self._connection = connect(url)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def rows(self, sql: str, parameters: Any) -> Any:
        if FailsOneRead.refuses and "FROM pauses" in sql:
            FailsOneRead.refuses = False
            raise StoreUnavailableError("the database is away")
        return self._connection.rows(sql, parameters)


class PollsForPauses(EmbeddedLogAdapter):
    """A log like Kafka, without a doorbell for pauses."""

    polls_pauses = True


def test_pauses_are_read_again_after_one_failed_read(tmp_path):
    """The read is retried, and later reads continue."""
    system = EmbeddedSystem(tmp_path)
    system.parts = evolve(system.parts, connect=FailsOneRead, adapter=PollsForPauses)
    with system:
        operations = PauseOperations(system.log, NAMES, system.clock)
        FailsOneRead.refuses = True
        system.advance(2.0)
        assert not FailsOneRead.refuses
        operations.pause("payments", "ada", "the provider is down")
        system.advance(10.0)

        assert 1 == sum(b'"service.paused"' in line for line in system.logged.lines)


def test_messages_to_a_paused_service_wait_and_no_deadline_passes(system, operations):
    """For days; then they are handled in the order in which they arrived."""
    operations.pause("payments", "ada", "the provider is down")
    orders = [f"o-{n}" for n in range(11)]
    system.put(*map(an_order, orders))
    system.advance(hours(50))

    assert {"payments": 11} == kept(system)
    assert ["RUNNING"] * 11 == [system.status(each) for each in orders]
    assert ["started"] == system.history("o-0")
    operations.unpause("payments", "ada")
    system.run()

    assert ["COMPLETED"] * 11 == [system.status(each) for each in orders]
    assert {} == kept(system)
    assert [] == system.violations()


def test_order_is_kept_over_a_pause(system, operations, gateway):
    """New messages, and outputs of deferred ones, are handled after all deferred messages."""
    operations.pause("payments", "ada", "x")
    orders = [f"o-{n}" for n in range(30)]
    system.put(*map(an_order, orders[:20]))
    system.append(
        *(
            system.log.outgoing("order-events", each, b'{"orderId":"%s","status":"ORDER_CREATED"}'
                                % each.encode())
            for each in orders[20:]
        )
    )  # fmt: skip
    operations.unpause("payments", "ada")
    system.run()

    assert orders == gateway.charged


def test_an_undo_does_not_overtake_its_command(system, operations, gateway):
    """Both are deferred in order: charged first, then refunded."""
    operations.pause("payments", "ada", "x")
    system.put(an_order("A"))
    system.put(CancelSaga(order_id="A", why="the customer called"))
    assert {"payments": 2} == kept(system)
    operations.unpause("payments", "ada")
    system.run()

    payment = system.entity(Payment, "A")
    assert ("CANCELLED", "REFUNDED", 1, 1) == (
        system.status("A"), payment.status, payment.charges, payment.refunds,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["orders", "payments", "stock", "notifications"])
def test_a_pause_of_any_service_survives_restarts(system, operations, name):
    """Deferred messages are in the database; deadlines of waiting sagas are put off after a restart
    too."""
    operations.pause(name, "ada", "x")
    system.put(*(an_order(f"o-{n}") for n in range(9)))
    system.restart()
    system.advance(hours(5))
    system.restart()
    operations.unpause(name, "ada")
    system.advance(minutes(1))
    system.restart()

    assert ["COMPLETED"] * 9 == [system.status(f"o-{n}") for n in range(9)]
    assert [] == system.violations()


def test_a_paused_intake_begins_no_saga_and_running_ones_continue(system, operations):
    """Orders are deferred, and messages for them after them."""
    operations.pause("payments", "ada", "x")
    system.put(an_order("running"))
    operations.pause(INTAKE, "ada", "too many")
    operations.unpause("payments", "ada")
    system.run()
    system.put(*(an_order(f"o-{n}") for n in range(9)))
    system.put(CancelSaga(order_id="o-3", why="x"))
    system.advance(hours(5))

    assert "COMPLETED" == system.status("running")
    assert [""] * 9 == [system.status(f"o-{n}") for n in range(9)]
    assert [None] * 9 == [system.entity(Order, f"o-{n}") for n in range(9)]
    system.restart()
    operations.unpause(INTAKE, "ada")
    system.run()

    assert "CANCELLED" == system.status("o-3")
    assert ["COMPLETED"] * 8 == [system.status(f"o-{n}") for n in range(9) if n != 3]
    assert [] == system.violations()


def test_orders_after_a_pause_of_the_intake_wait_for_a_paused_service(system, operations):
    """One pause after the other."""
    for name in (INTAKE, "orders", "payments"):
        operations.pause(name, "ada", "x")
    system.put(*(an_order(f"o-{n}") for n in range(6)))
    operations.unpause(INTAKE, "ada")
    system.run()
    assert {"orders": 6, "payments": 6} == kept(system)
    operations.unpause("payments", "ada")
    operations.unpause("orders", "ada")
    system.run()

    assert ["COMPLETED"] * 6 == [system.status(f"o-{n}") for n in range(6)]
    assert [] == system.violations()


@pytest.mark.parametrize("nth", range(1, 8))
@pytest.mark.parametrize("point", ["before commit", "after commit"])
def test_a_crash_loses_and_repeats_no_deferred_message(tmp_path, point, nth):
    """At any point: while messages are deferred, and while they are delivered."""
    left = [0]

    def watch(passed):
        if passed == point and left[0]:
            left[0] -= 1
            if not left[0]:
                raise Crash

    gateway = Charges()
    with EmbeddedSystem(
        tmp_path, gateway=gateway, settings={"batch_size": 3}, watch=watch
    ) as system:
        system.load({"PEN": 1000})
        operations = PauseOperations(system.log, NAMES, system.clock)

        def survive(step):
            left[0] = nth
            try:
                step()
            except Crash:
                system.restart()
            left[0] = 0

        operations.pause("payments", "ada", "x")
        survive(lambda: system.put(*(an_order(f"o-{n}") for n in range(10))))
        system.run()
        assert {"payments": 10} == kept(system)
        operations.unpause("payments", "ada")
        survive(system.run)
        system.run()

        assert ["COMPLETED"] * 10 == [system.status(f"o-{n}") for n in range(10)]
        assert [] == system.violations()


def test_sagas_of_a_silent_service_time_out_after_its_pause(tmp_path):
    """After the same number of seconds as without the pause."""

    class Silent(SimulatedGateway):
        def charge(self, charge):
            return NoAnswer()

    with EmbeddedSystem(tmp_path, gateway=Silent()) as system:
        operations = PauseOperations(system.log, NAMES, system.clock)
        system.put(an_order("A"))
        system.advance(20)
        operations.pause("payments", "ada", "x")
        system.run()
        system.advance(hours(1))
        operations.unpause("payments", "ada")
        system.run()
        system.advance(21)
        assert "step_timed_out process payment" in system.history("A")
        system.advance(minutes(5))

        saga = system.saga("A")
        assert saga
        assert "timed_out" == saga.code


def test_a_reply_from_another_system_counts_during_a_pause(system, operations):
    """An operator answers in place of the paused service, which then finds a late command."""
    operations.pause("payments", "ada", "x")
    system.put(an_order("A"))
    system.put(PaymentCompleted(order_id="A"))
    assert "COMPLETED" == system.status("A")
    operations.unpause("payments", "ada")
    system.run()

    assert "COMPLETED" == system.status("A")


def test_a_deferred_record_that_cannot_be_read_is_a_dead_letter(system, operations):
    """Like a record that cannot be read without a pause."""
    operations.pause("payments", "ada", "x")
    system.put(ProcessPayment(order_id="A", amount=1))
    with system.log.transaction() as cursor:
        cursor.execute("UPDATE parked SET value = CAST('nonsense' AS BLOB)")
    operations.unpause("payments", "ada")
    system.run()

    (letter,) = system.log.dead_letters.letters()
    assert b"nonsense" == letter[2]


def test_a_pause_needs_a_reason_and_cannot_be_set_twice(system, operations):
    """Two operators may pause the same service."""
    operations.pause("stock", "ada", "stocktaking")
    with pytest.raises(AlreadySoError, match="stock is paused already"):
        operations.pause("stock", "bob", "me too")
    with pytest.raises(ReasonNeededError):
        operations.pause("orders", "ada", " ")
    with pytest.raises(NoSuchTargetError, match="'shipping'"):
        operations.pause("shipping", "ada", "x")
    with pytest.raises(AlreadySoError, match="orders is not paused"):
        operations.unpause("orders", "ada")
    operations.unpause("stock", "ada")
    operations.pause("stock", "bob", "again")

    with queries.reading(system.settings.database) as db:
        (pause,) = pauses_that_last(db)
    assert ("stock", "bob", "again") == (pause.name, pause.by, pause.why)
