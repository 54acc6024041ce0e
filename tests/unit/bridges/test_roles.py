"""A role has its own progress, with any sets of roles: each record is handled once."""

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from order_sagas.actors.entities import Notification, Payment
from order_sagas.actors.messages import ProcessPayment
from order_sagas.bridges.intake.intake import Intake
from order_sagas.bridges.storage import queries, waiting_orders
from order_sagas.system.order_app import APP
from tests.support.embedded import Crash, an_order
from tests.support.role_starts import ALL, RoleStarts

NO_PAYMENT = ("orchestrator", "orders", "stock", "notification")
GARBAGE = b"no JSON"


@pytest.mark.parametrize("workers", [1, 2])
def test_commands_wait_for_the_role_that_does_not_run(tmp_path: Path, workers: int) -> None:
    """The sagas give up meanwhile, after three attempts and eight of the compensation."""
    with RoleStarts(tmp_path, workers) as starts:
        starts.start(NO_PAYMENT)
        starts.order(3)
        starts.append("payment-events", "k", GARBAGE)
        starts.run()
        starts.advance(3600)
        stuck, waits = starts.statuses(), starts.waiting()
        starts.start()
        starts.advance(60)

        assert ["NEEDS_ATTENTION"] * 3 == stuck
        assert {"payment-events": 33} == waits
        assert ["CANCELLED"] * 3 == starts.statuses()
        assert {} == starts.waiting()
        assert {GARBAGE: 1} == starts.letters()
        assert {} == starts.handled.repeated
        assert [] == starts.first.violations()
        assert [33] == [
            sum(n for (who, _), n in starts.handled.counts.items() if who == "payments")
        ]
        # No saga got its start again.
        assert "ORDER_CREATED" not in {line["status"] for line in starts.ignored()}


def test_a_role_that_starts_in_time_lets_the_sagas_complete(tmp_path: Path) -> None:
    """It finds one command for each order, and the sagas continue in the same batch."""
    with RoleStarts(tmp_path) as starts:
        starts.start(NO_PAYMENT)
        starts.load(100)
        starts.order(3)
        starts.run()
        starts.start()

        assert ["COMPLETED"] * 3 == starts.statuses()
        assert 3 == len(starts.first.all_of(Notification))
        assert {} == starts.handled.repeated
        assert [] == starts.first.violations()


@pytest.mark.parametrize("marked", [False, True], ids=["behind the mark", "listed"])
def test_an_order_waits_as_long_as_its_record_waits_for_the_orders_role(
    tmp_path: Path, marked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its saga has completed meanwhile. The counts of orders and of records agree."""
    monkeypatch.setattr(waiting_orders, "CHUNK", 1)
    with RoleStarts(tmp_path) as starts:
        starts.start(("orchestrator", "payment", "stock", "notification"))
        starts.load(100)
        ids = [f"a-{number}" for number in range(4)]
        Intake(starts.first.log).take([an_order(order_id) for order_id in ids], [""] * len(ids))
        starts.run()
        if marked:
            waiting_orders.MarkRound(starts.first.store).step()
        before, left = waits(starts), starts.rows("SELECT key FROM log WHERE role = 'orders'")
        sagas = {starts.first.status(order_id) for order_id in ids}
        starts.start(("orders",))
        after = waits(starts)

        assert {"COMPLETED"} == sagas
        assert marked == bool(starts.rows("SELECT 1 FROM meta WHERE name = 'stored_up_to'"))
        assert ({*ids}, len(ids), len(left)) == before
        assert {*ids} == {key.decode() for (key,) in left}
        assert (set(), 0, 0) == after


def waits(starts: RoleStarts) -> tuple[set[str], int, int]:
    """The waiting orders, their count, and the waiting records of the role `orders`."""
    with queries.reading(starts.first.settings.database) as db:
        listed = {row["order_id"] for row in queries.orders(db, (queries.SUBMITTED,))}
        counted = queries.order_counts(db).get(queries.SUBMITTED, 0)
        return listed, counted, queries.waiting_by_role(db, APP.topics_of_roles)["orders"]


@pytest.mark.parametrize("one_by_one", [ALL, ALL[::-1]], ids=["forwards", "backwards"])
def test_each_role_alone_in_turns(tmp_path: Path, one_by_one: tuple[str, ...]) -> None:
    """Messages pass from one role to the next only through the log."""
    with RoleStarts(tmp_path) as starts:
        starts.start(("stock",))
        starts.load(100)
        starts.order(3)
        starts.append("stock-events", "k", GARBAGE)
        for _ in range(6):
            for role in one_by_one:
                starts.start((role,))

        assert ["COMPLETED"] * 3 == starts.statuses()
        assert {} == starts.waiting()
        assert {GARBAGE: 1} == starts.letters()
        assert {} == starts.handled.repeated
        assert [] == starts.first.violations()


def test_records_left_for_a_role_come_before_new_ones_of_the_same_key(tmp_path: Path) -> None:
    """Over any number of batches, with new records meanwhile."""
    with RoleStarts(tmp_path, batch_size=2) as starts:
        seen: list[str] = []
        starts.start(NO_PAYMENT)
        starts.order(5)
        starts.run()
        starts.advance(3600)
        for row in starts.rows("SELECT value FROM log WHERE role = 'payment' ORDER BY position"):
            seen.append(msgspec.json.decode(row[0])["eventId"])
        last = ProcessPayment(order_id="o-0", amount=1, currency="EUR", event_id="last")
        starts.append("payment-events", "o-0", msgspec.json.encode(last))
        handled_before = [*starts.handled.counts]
        starts.start()
        after = [name for who, name in starts.handled.counts if who == "payments"]

        assert len(seen) == 55
        assert not [who for who, _ in handled_before if who == "payments"]
        assert seen == after[:55]
        assert msgspec.json.encode(last) in after[55:]


def test_batches_still_follow_their_own_outputs(tmp_path: Path) -> None:
    """A record for a running role is written as handled by the batch that sent it."""
    with RoleStarts(tmp_path) as starts:
        starts.start(("orchestrator", "orders", "payment"))
        starts.order(1)
        starts.run()

        assert [
            ("PROCESS_PAYMENT", 1, None), ("PAYMENT_COMPLETED", 1, None),
            ("RESERVE_STOCK", 3, "stock"),
        ] == [
            (msgspec.json.decode(value)["status"], handled, role)
            for value, handled, role in starts.rows(
                "SELECT value, handled, role FROM log WHERE topic <> 'order-events' "
                "ORDER BY position"
            )
        ]  # fmt: skip


def test_a_record_that_two_roles_take_is_left_for_the_one_that_does_not_run(
    tmp_path: Path,
) -> None:
    """The start of an order is for its saga and for the order service."""
    with RoleStarts(tmp_path) as starts:
        starts.start(("orchestrator",))
        starts.order(1)
        starts.run()
        left = starts.rows("SELECT topic, role FROM log WHERE handled = 3 ORDER BY position")
        starts.start(("orders",))

        assert [("payment-events", "payment"), ("order-events", "orders")] == sorted(
            left, key=lambda row: row[1] == "orders"
        )
        assert Counter({("orchestrator", 1): 1, ("orders", 1): 1}) == Counter(
            (who, times) for (who, _), times in starts.handled.counts.items()
        )


def test_a_pause_defers_records_left_for_a_role(tmp_path: Path) -> None:
    """Deferred messages wait while the role does not run, and are delivered first."""
    with RoleStarts(tmp_path) as starts:
        pause = "INSERT INTO pauses (name, by, why, since) VALUES (?, 'me', '', ?)"
        with starts.first.log.db.transaction() as cursor:
            cursor.execute(pause, ("payments", starts.clock.now()))
        starts.start()
        starts.load(100)
        starts.order(2)
        starts.run()
        parked = starts.rows("SELECT receiver, count(*) FROM parked GROUP BY 1")
        with starts.first.log.db.transaction() as cursor:
            cursor.execute("UPDATE pauses SET until = ?", (starts.clock.now(),))
        starts.start(NO_PAYMENT)
        kept = starts.rows("SELECT count(*) FROM parked")
        starts.order(1)
        starts.run()
        starts.start(("payment",))
        paid = [name for who, name in starts.handled.counts if who == "payments"]
        starts.start()

        assert [("payments", 2)] == parked
        assert [(2,)] == kept
        assert [f"place-order/o-{i}/process payment/1" for i in range(3)] == paid
        assert ["COMPLETED"] * 3 == starts.statuses()
        assert 3 == len(starts.first.all_of(Payment))
        assert {} == starts.handled.repeated
        assert [] == starts.first.violations()


def some_roles(rng: random.Random) -> tuple[str, ...]:
    """Any set of roles."""
    return tuple(rng.sample(ALL, rng.randint(1, len(ALL))))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seed", range(15))
def test_any_sets_of_roles_in_any_order(tmp_path: Path, seed: int, workers: int) -> None:
    """Killed and stopped at any point, with orders in between; finally, with all roles, all sagas
    end."""
    rng = random.Random(seed)
    safe = False

    def watch(point: str) -> None:
        if not safe and rng.random() < 0.05:
            raise Crash

    with RoleStarts(tmp_path, workers, watch, batch_size=rng.choice([1, 3, 500])) as starts:
        starts.start(some_roles(rng))
        starts.load(50)
        garbage: Counter[bytes] = Counter()
        for _ in range(40):
            happens = rng.random()
            if happens < 0.35:
                starts.order(rng.randint(1, 4))
                starts.run()
            elif happens < 0.45:
                letter = f"garbage {len(garbage)}".encode()
                garbage[letter] += 1
                topic = rng.choice(["order-events", "payment-events", "notification-events"])
                starts.append(topic, letter.decode(), letter)
            elif happens < 0.6:
                starts.advance(rng.choice([1.0, 20.0, 400.0]))
            elif happens < 0.7:
                starts.kill()
            else:
                starts.start(some_roles(rng))
            assert [] == starts.first.violations(ended=False)
        safe = True
        starts.start()
        starts.advance(900)

        assert {"COMPLETED", "CANCELLED"} >= {*starts.statuses()}
        assert {} == starts.waiting()
        assert garbage == starts.letters()
        assert {} == starts.handled.repeated
        assert [] == starts.first.violations()
