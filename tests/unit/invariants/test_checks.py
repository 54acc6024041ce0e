"""Each rule of the audit finds its violations, and no others."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from order_sagas.actors.entities import (
    Notification,
    Order,
    Payment,
    Reservation,
    StockLevel,
    StockLoad,
)
from order_sagas.actors.messages import OrderLine
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.bridges.audit import Report, examine, ledger_of
from order_sagas.bridges.storage.ddl import create_table
from order_sagas.bridges.storage.schema import metadata, sagas, table_of
from order_sagas.bridges.storage.sqlite import sqlite_engine
from order_sagas.bridges.storage.store import Store
from tests.support.embedded import EmbeddedSystem, an_order

DEAR = (OrderLine(sku="PEN", quantity=1, unit_price=5000),)
MANY = (OrderLine(sku="PEN", quantity=500, unit_price=1),)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> EmbeddedSystem:
    """A database with orders completed, declined, out of stock, and one in flight."""
    directory = tmp_path_factory.mktemp("books")
    settings = {"payment_decline_above": 4000, "stock_silent_rate": 0.0}
    with EmbeddedSystem(directory, settings=settings) as system:
        system.load({"PEN": 10, "INK": 3})
        system.put(
            an_order("done"), an_order("declined", lines=DEAR), an_order("sold-out", lines=MANY)
        )
    return system


@pytest.fixture
def books(made, tmp_path) -> Iterator[sa.Connection]:
    """A copy of the database that the test may corrupt."""
    engine = sqlite_engine(sa.make_url(f"sqlite:///{tmp_path / 'copy.db'}"))
    with engine.connect() as copy:
        copy.exec_driver_sql(f"ATTACH '{made.settings.database.removeprefix('sqlite:///')}' AS old")
        for table in metadata.sorted_tables:
            for statement in create_table(table, copy.dialect):
                copy.exec_driver_sql(statement)
        for table in metadata.sorted_tables:
            copy.exec_driver_sql(f"INSERT INTO main.{table.name} SELECT * FROM old.{table.name}")
        yield copy
    engine.dispose()


def broken(report: Report) -> set[str]:
    return {violation.check for violation in report.violations}


def test_consistent_data_has_no_violation(books) -> None:
    """And each check has examined some rows."""
    report = examine(ledger_of(books), [PLACE_ORDER], ended=True)

    assert [] == report.violations
    assert {"deadline"} == {f.check.name for f in report.findings if not f.looked_at}


SPOILT = {
    "one end": "UPDATE orders SET status = 'CANCELLED' WHERE order_id = 'done'",
    "all ended": "DELETE FROM orders WHERE order_id = 'done'",
    "charged once": "UPDATE payments SET charges = 2 WHERE order_id = 'done'",
    "no charge kept": "UPDATE payments SET status = 'COMPLETED', charges = 1, refunds = 0 "
    "WHERE order_id = 'sold-out'",
    "paid for": "UPDATE payments SET status = 'FAILED', charges = 0 WHERE order_id = 'done'",
    "charged as asked": "UPDATE payments SET amount = 1 WHERE order_id = 'done'",
    "reserved as asked": "UPDATE reservations SET lines = '[]' WHERE order_id = 'done'",
    "goods released": "UPDATE reservations SET status = 'HELD' WHERE order_id = 'sold-out'",
    "no oversell": "UPDATE stock SET on_hand = -1, reserved = loaded + 1 WHERE sku = 'PEN'",
    "stock conserved": "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'PEN'",
    "deadline": "UPDATE sagas SET status = 'RUNNING', ended_at = NULL WHERE order_id = 'done'",
    "nothing after the end": "UPDATE sagas SET state = replace(state, "
    "'\"saga.completed\"', '\"saga.step_retried\"') WHERE order_id = 'done'",
    "each step once": "UPDATE sagas SET state = replace(state, "
    "'\"reserve stock\"', '\"process payment\"') WHERE order_id = 'done'",
    "newest first": "UPDATE sagas SET state = replace(replace(replace(state, "
    "'\"create order\"', '\"x\"'), '\"process payment\"', '\"create order\"'), "
    "'\"x\"', '\"process payment\"') WHERE order_id = 'sold-out'",
    "undone whole": "UPDATE sagas SET state = replace(state, "
    '\'"saga.step_undone","step":"process payment"\', '
    '\'"saga.undo_retried","step":"process payment"\')'
    " WHERE order_id = 'sold-out'",
    "notified once": "UPDATE notifications SET sends = 2 WHERE order_id = 'done'",
    "told once": "INSERT INTO log (topic, partition, key, value, handled, appended_at) SELECT "
    "topic, partition, key, CAST(replace(CAST(value AS TEXT), '/complete order/1', '/again') "
    "AS BLOB), 1, 0 FROM log WHERE key = CAST('done' AS BLOB) AND topic = 'order-events'",
    "all notified": "DELETE FROM notifications WHERE order_id = 'declined'",
}


@pytest.mark.parametrize("check", SPOILT)
def test_a_corrupt_row_breaks_its_rule(books, check) -> None:
    """Every check finds its violation."""
    books.exec_driver_sql(SPOILT[check])

    found = examine(ledger_of(books), [PLACE_ORDER], ended=True)

    assert check in broken(found)


def test_every_check_has_a_test() -> None:
    """A new check needs a row that breaks it."""
    from order_sagas.bridges.audit import checks_for

    assert {check.name for check in checks_for([PLACE_ORDER])} == set(SPOILT)


def test_stock_without_a_delivery_is_a_violation(books) -> None:
    """And so is a delivery without a stock level."""
    books.exec_driver_sql("DELETE FROM stock_loads")
    books.exec_driver_sql("DELETE FROM stock WHERE sku = 'INK'")

    found = examine(ledger_of(books), [PLACE_ORDER]).violations

    assert ["PEN in main"] == [v.subject for v in found if v.check == "stock conserved"]


def test_a_step_skipped_by_an_operator_is_no_violation(books) -> None:
    """A refund that was skipped with a reason keeps its charge."""
    books.exec_driver_sql(SPOILT["no charge kept"])
    books.exec_driver_sql("UPDATE sagas SET state = replace(state, '\"rolled_back\"', '\"x\"')")
    before = broken(examine(ledger_of(books), [PLACE_ORDER]))
    books.exec_driver_sql(
        "UPDATE sagas SET state = substr(state, 1, length(state) - 2) || "
        '\',{"at":1.0,"event":"saga.operator","step":"process payment",\' || '
        '\'"note":"skip by ann: paid in cash"}]}\''
        " WHERE order_id = 'sold-out'"
    )

    after = broken(examine(ledger_of(books), [PLACE_ORDER]))

    assert "no charge kept" in before
    assert "no charge kept" not in after


def test_orders_in_flight_are_counted_and_no_violation(tmp_path) -> None:
    """Except with `ended`."""
    settings = {"payment_silent_rate": 1.0, "payment_silent_attempts": 9}
    with EmbeddedSystem(tmp_path, settings=settings) as system:
        system.load({"PEN": 10})
        system.put(an_order("waiting"))
        with sqlite_engine(sa.make_url(system.settings.database)).connect() as db:
            report = examine(ledger_of(db), [PLACE_ORDER])

        assert (1, 0, []) == (report.in_flight, report.needing_attention, report.violations)
        assert ["waiting"] == [violation.subject for violation in system.violations(ended=True)]


@pytest.mark.postgres
def test_the_rules_are_the_same_on_postgresql(made, postgres_url) -> None:
    """The same data gives the same counts there, and the same violations once corrupt."""
    registry = made.parts.registry
    Store(postgres_url, registry, 4).close()
    engine = sa.create_engine(postgres_url)
    old = sqlite_engine(sa.make_url(made.settings.database))
    tables = [sagas, *map(table_of, (Order, Payment, Reservation, StockLevel, StockLoad))]
    tables.append(table_of(Notification))
    with old.connect() as source, engine.begin() as target:
        for table in tables:
            rows = [dict(row._mapping) for row in source.execute(sa.select(table))]
            target.execute(table.insert(), rows)
        here = examine(ledger_of(source), [PLACE_ORDER], ended=True)
        there = examine(ledger_of(target), [PLACE_ORDER], ended=True)
        assert [] == there.violations
        assert counts(here) == {**counts(there), "told once": counts(here)["told once"]}
        for check, spoil in SPOILT.items():
            if check != "told once":
                with target.begin_nested() as savepoint:
                    target.exec_driver_sql(spoil)
                    assert check in broken(examine(ledger_of(target), [PLACE_ORDER], ended=True))
                    savepoint.rollback()
    engine.dispose()
    old.dispose()


def counts(report: Report) -> dict[str, int]:
    return {finding.check.name: finding.looked_at for finding in report.findings}
