"""Orders that ended long ago are pruned, and the audit still passes."""

import msgspec
import pytest

from order_sagas.actors.entities import Notification, Order, Payment, Reservation
from order_sagas.actors.messages import OrderCompleted, OrderLine, OrderRolledBack, ProcessPayment
from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.operations import PauseOperations
from order_sagas.bridges.storage import log_retention as retention
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.order_retention import CHUNK, Pruned, Round
from order_sagas.system.harness import hours
from tests.support.embedded import BEGAN, EmbeddedSystem, an_order
from tests.support.role_starts import RoleStarts

DAY = hours(24)
MANY = (OrderLine(sku="PEN", quantity=500, unit_price=1),)
NO_NOTIFICATION = ("orchestrator", "orders", "payment", "stock")
TABLES = ("sagas", "orders", "payments", "reservations", "notifications")


@pytest.fixture
def system(tmp_path):
    """A system that keeps finished orders for a day, with a few pens in stock."""
    with EmbeddedSystem(tmp_path, settings={"keep_finished": DAY}) as system:
        system.load({"PEN": 10})
        yield system


@pytest.fixture
def keeping(tmp_path):
    """A system that keeps everything: orders are pruned by hand."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10_000})
        yield system


def rows(system, *tables: str) -> dict[str, int]:
    """The number of rows of each table."""
    counted = {
        table: next(iter(system.store.db.rows(f"SELECT count(*) FROM {table}", ())))[0]
        for table in tables or TABLES
    }
    return counted


def prune(system, before: float, **options) -> Pruned:
    """Prune a whole round by hand."""
    done = Round(system.store, before, **options)
    while not done.done:
        done.step(None, system.clock.now())
    return done.pruned


def test_a_running_system_prunes_ended_orders(system) -> None:
    """Completed or cancelled; only their final status is left."""
    system.put(an_order("done"), an_order("sold-out", lines=MANY))
    before = rows(system)
    system.advance(DAY - 60)
    young = rows(system)
    system.advance(DAY / 10)

    assert dict.fromkeys(TABLES, 2) == before == young
    assert dict.fromkeys(TABLES, 0) == rows(system)
    assert 2 == rows(system, "pruned")["pruned"]
    assert [] == system.violations()


def test_sold_goods_stay_sold(system) -> None:
    """Two of ten pens: in the audit, in the stock levels, and for the next order."""
    system.put(an_order("done"))
    system.advance(2 * DAY)
    system.put(an_order("next", lines=(OrderLine(sku="PEN", quantity=9, unit_price=1),)))
    system.put(an_order("fits", lines=(OrderLine(sku="PEN", quantity=8, unit_price=1),)))

    with queries.reading(system.settings.database) as db:
        (pen,) = queries.stock(db)
    assert (0, 0, 10, 10) == (pen["on_hand"], pen["held"], pen["sold"], pen["loaded"])
    assert ("CANCELLED", "COMPLETED") == (system.status("next"), system.status("fits"))
    assert [] == system.violations()


def test_an_old_order_in_flight_stays(tmp_path) -> None:
    """Its saga continues."""
    settings = {"keep_finished": DAY, "stock_silent_rate": 1.0, "deadline_scale": 1e6}
    with EmbeddedSystem(tmp_path, settings=settings) as system:
        system.put(an_order("waits"))
        system.advance(3 * DAY)

        assert "RUNNING" == system.status("waits")
        assert {"sagas": 1, "orders": 1} == rows(system, "sagas", "orders")


LATE = {
    "the order": an_order("done"),
    "the order, otherwise": an_order("done", lines=MANY),
    "a command": ProcessPayment(order_id="done", amount=300, currency="EUR"),
    "a reply": OrderRolledBack(order_id="done"),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_messages_for_a_pruned_order_change_nothing(system, late, restart) -> None:
    """No second saga, no second charge; it is not even a dead letter."""
    system.put(an_order("done"))
    system.advance(2 * DAY)
    if restart:
        system.restart()
    system.put(late)

    assert dict.fromkeys(TABLES, 0) == rows(system)
    assert [] == system.records("dead-letters")
    said = msgspec.json.decode(system.logged.lines[-1])
    assert ("saga.message_ignored", "done") == (said["event"], said["order_id"])
    assert "the order ended long ago and was pruned" == said["reason"]


def test_an_order_that_was_pruned_by_hand_is_known_to_the_running_system(keeping) -> None:
    """It has handled the order itself, and is not notified."""
    keeping.put(an_order("done"))
    keeping.advance(DAY)
    prune(keeping, keeping.clock.now())
    keeping.put(an_order("done"))

    assert dict.fromkeys(TABLES, 0) == rows(keeping)


@pytest.mark.parametrize("by_intake", [True, False])
def test_a_pruned_order_that_is_submitted_again_is_recognised(keeping, by_intake) -> None:
    """By its content, even if it first came without a fingerprint, from a service elsewhere."""
    intake, order = Intake(keeping.log, keeping.clock), an_order("done")
    if by_intake:
        intake.take([order])
        keeping.run()
    else:
        keeping.put(order)
    keeping.advance(DAY)
    prune(keeping, keeping.clock.now())

    other = an_order("done", customer_id="another")
    assert [Verdict.DUPLICATE, Verdict.CONFLICT] == intake.take([order, other])


def test_no_position_of_the_log_is_ever_used_again(keeping) -> None:
    """Consumers would take a new record for one that they have handled."""
    keeping.put(an_order("done"))
    newest = max(no for (no,) in keeping.log.db.rows("SELECT position FROM log", ()))
    keeping.advance(DAY)
    pruned = prune(keeping, keeping.clock.now())
    left = [no for (no,) in keeping.log.db.rows("SELECT position FROM log", ())]
    keeping.put(an_order("next"))

    assert pruned.records == newest - 1
    assert [newest] == left
    assert "COMPLETED" == keeping.status("next")


def test_records_that_wait_and_dead_letters_stay(keeping) -> None:
    """Of any age."""
    keeping.put_raw("order-events", b"nobody can read this")
    keeping.put(an_order("done"))
    keeping.crash()
    keeping.put(an_order("waits"))
    prune(keeping, BEGAN + DAY)
    letters = rows(keeping, "log WHERE topic = 'dead-letters'")
    keeping.start()

    assert [1] == [*letters.values()]
    assert "COMPLETED" == keeping.status("waits")
    assert [] == keeping.violations()


STILL_OWING = {
    "a mail on its way": Notification(order_id="done", status=Notification.PENDING, about="x"),
    "a charge under way": Payment(order_id="done", status=Payment.PENDING),
    "goods that are held": Reservation(order_id="done", status=Reservation.HELD),
    "an order that has not heard": Order(order_id="done", status=Order.ROLLED_BACK),
}


@pytest.mark.parametrize("owing", STILL_OWING.values(), ids=STILL_OWING)
def test_an_order_with_pending_work_stays(keeping, owing) -> None:
    """An operator may have ended its saga, or a service may lag."""
    keeping.put(an_order("done", lines=(OrderLine(sku="PEN", quantity=99_999, unit_price=1),)))
    keeping.store.commit(Changes(entities=[owing]), BEGAN)
    keeping.advance(DAY)

    assert 0 == prune(keeping, keeping.clock.now()).orders


def test_an_order_with_a_deferred_notification_stays(keeping) -> None:
    """The deferred message needs its order."""
    pauses = PauseOperations(keeping.log, ["notifications"], keeping.clock)
    pauses.pause("notifications", "ada", "a drill")
    keeping.put(an_order("done"))
    keeping.advance(DAY)
    during = prune(keeping, keeping.clock.now()).orders
    pauses.unpause("notifications", "ada", "")
    keeping.run()

    assert ("COMPLETED", 0) == (keeping.status("done"), during)
    assert 1 == prune(keeping, keeping.clock.now()).orders


def test_many_orders_are_pruned_in_several_transactions(keeping) -> None:
    """A dry run returns their number, and changes nothing."""
    keeping.put(*[an_order(f"o-{number}") for number in range(2 * CHUNK + 1)])
    keeping.advance(DAY)
    would = prune(keeping, keeping.clock.now(), dry=True)
    untouched = rows(keeping)
    steps = Round(keeping.store, keeping.clock.now())
    first = steps.step(None, keeping.clock.now())

    assert dict.fromkeys(TABLES, 2 * CHUNK + 1) == untouched
    assert CHUNK == first.orders
    assert would.orders == prune(keeping, keeping.clock.now()).orders + CHUNK
    assert [] == keeping.violations()


def test_only_the_owner_of_a_shard_prunes_it(keeping) -> None:
    """A worker that lost it without noticing deletes nothing."""
    keeping.put(an_order("done"))
    keeping.advance(DAY)
    stale = dict.fromkeys(range(4), 0)

    with pytest.raises(LostShardError):
        Round(keeping.store, keeping.clock.now()).step(stale, keeping.clock.now())

    assert dict.fromkeys(TABLES, 1) == rows(keeping)


def test_a_batch_that_has_read_an_order_before_it_was_pruned_is_not_stored(keeping) -> None:
    """Otherwise a part of the order would be stored again."""
    keeping.put(an_order("done"))
    keeping.advance(DAY)
    read = keeping.entity(Payment, "done")
    prune(keeping, keeping.clock.now())

    with pytest.raises(LostShardError, match="was pruned"):
        keeping.store.commit(Changes(entities=[read]), 1.0)

    assert dict.fromkeys(TABLES, 0) == rows(keeping)


def test_records_for_a_role_that_has_run_stay_with_their_orders(tmp_path) -> None:
    """The customers are notified, even if the role did not run for long."""
    with RoleStarts(tmp_path, keep_finished=DAY) as starts:
        starts.start()
        starts.load(100)
        starts.start(NO_NOTIFICATION)
        starts.order(2)
        starts.run()
        starts.advance(2 * DAY, step=600)
        waiting, left = starts.waiting(), rows(starts.first, "orders", "pruned")
        starts.start()
        told = len(starts.first.all_of(Notification))
        starts.advance(2 * DAY, step=600)

        assert {"notification-events": 2} == waiting
        assert {"orders": 2, "pruned": 0} == left
        assert 2 == told
        assert {"orders": 0, "pruned": 2} == rows(starts.first, "orders", "pruned")
        assert 1 == rows(starts.first, "log")["log"]
        assert [] == starts.first.violations()


def test_records_for_a_role_that_never_ran_are_pruned_with_their_orders(tmp_path) -> None:
    """The role runs elsewhere, or never. Records about other orders stay."""
    with RoleStarts(tmp_path, keep_finished=DAY) as starts:
        starts.start(NO_NOTIFICATION)
        starts.load(100)
        starts.order(2)
        starts.run()
        other = OrderCompleted(order_id="another's", customer_id="c-1")
        starts.append("notification-events", "k", msgspec.json.encode(other))
        starts.run()
        before = starts.waiting()
        starts.advance(2 * DAY, step=600)

        assert {"notification-events": 3} == before
        assert {"notification-events": 1} == starts.waiting()
        assert {"orders": 0, "pruned": 2} == rows(starts.first, "orders", "pruned")


def test_orders_stay_while_very_many_records_wait_for_a_role(tmp_path, monkeypatch) -> None:
    """The orders of so many records are not determined."""
    monkeypatch.setattr(retention, "WAITING", 1)
    with RoleStarts(tmp_path) as starts:
        starts.start()
        starts.load(100)
        starts.order(1)
        starts.run()
        starts.start(NO_NOTIFICATION)
        starts.order(2)
        starts.run()
        starts.clock.advance(DAY)
        now = starts.clock.now()
        kept = prune(starts.first, now, dry=True).orders
        starts.start()

        assert (0, 3) == (kept, prune(starts.first, now, dry=True).orders)
