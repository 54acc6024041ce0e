"""Searches for orders and sagas by stored values."""

from typing import Any

import attrs
import pytest

from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.actors.sagas.definition import hours
from order_sagas.bridges.intake.intake import Intake
from order_sagas.bridges.storage import search
from order_sagas.bridges.storage.reading import reading
from order_sagas.bridges.storage.search import Search, search_orders, search_sagas
from tests.support.embedded import BEGAN, EmbeddedSystem


def an_order(order_id, customer, currency, *lines):
    """An order of these SKUs, each a quantity and a price."""
    return OrderCreated(
        order_id=order_id,
        customer_id=customer,
        currency=currency,
        lines=tuple(
            OrderLine(sku=sku, quantity=count, unit_price=price) for sku, count, price in lines
        ),
    )


def fill(system):
    """Orders A to E, an hour apart; B and D cannot be delivered."""
    system.load({"PEN": 9, 'A"B%': 9, "INK": 9})
    for order in (
        an_order("A", "ann", "EUR", ("PEN", 1, 100)),
        an_order("B", "bob", "EUR", ("PEN", 1, 100), ("NONE", 1, 1)),
        an_order("C", "ann", "JPY", ('A"B%', 2, 5000)),
        an_order("D", "Ann", "EUR", ("NONE", 1, 700)),
        an_order("E", "ann", "EUR", ("INK", 1, 300), ("PEN", 2, 50)),
    ):
        system.put(order)
        system.advance(hours(1))


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """The orders on SQLite."""
    with EmbeddedSystem(tmp_path_factory.mktemp("search")) as system:
        fill(system)
        yield system


def orders(system, limit=20, after=None, **which):
    """The ids of the found orders, the newest first, and where the next page begins."""
    with reading(system.settings.database) as db:
        found = search_orders(db, Search(**which), limit, after)
    return "".join(row["order_id"] for row in found.rows), found.after


EXPECTED: list[tuple[dict[str, Any], str]] = [
    ({"customer": "ann"}, "ECA"),
    ({"customer": "nobody"}, ""),
    ({"customer": "ann", "statuses": ("CANCELLED",)}, ""),
    ({"sku": "PEN"}, "EBA"),
    ({"sku": "PE"}, ""),
    ({"sku": "pen"}, ""),
    ({"sku": 'A"B%'}, "C"),
    ({"amount_from": 300}, "EDC"),
    ({"amount_from": 101, "amount_to": 700}, "EDB"),
    ({"amount_from": 300, "currency": "EUR"}, "ED"),
    ({"code": "out_of_stock"}, "DB"),
    ({"reason": "NONE"}, "DB"),
    ({"reason": "%"}, ""),
    ({"version": 1}, "EDCBA"),
    ({"version": 2}, ""),
    ({"statuses": ("CANCELLED", "COMPLETED"), "sku": "PEN"}, "EBA"),
    ({"statuses": ("CANCELLED",), "sku": "PEN"}, "B"),
    ({"sku": "PEN", "prefix": "B"}, "B"),
    ({"prefix": "B"}, "B"),
    ({"prefix": "b"}, ""),
    ({"statuses": ("CANCELLED",), "prefix": "B"}, "B"),
    ({"statuses": ("COMPLETED",), "prefix": "B"}, ""),
    ({"started_from": BEGAN + 3600}, "EDCB"),
    ({"started_from": BEGAN + 3600, "started_to": BEGAN + 3 * 3600}, "CB"),
    ({"ended_to": BEGAN + 3600}, "A"),
    ({"step": "process payment"}, ""),
]


@pytest.mark.parametrize(("which", "expected"), EXPECTED)
def test_orders_are_found_by_each_condition(system, which, expected):
    """Each condition alone and together; ids and SKUs whole, a reason in part."""
    assert (expected, None) == orders(system, **which)


@pytest.mark.postgres
def test_orders_are_found_on_postgresql_as_on_sqlite(postgres_url, tmp_path):
    """The same conditions."""
    with EmbeddedSystem(tmp_path, database=postgres_url) as system:
        fill(system)
        found = [orders(system, **which)[0] for which, _ in EXPECTED]

    assert [expected for _, expected in EXPECTED] == found


def test_waiting_orders_are_found_by_id_prefix(tmp_path):
    """With the status of an order that is not stored yet."""
    with EmbeddedSystem(tmp_path) as system:
        Intake(system.log).take([an_order("W-1", "ann", "EUR", ("PEN", 1, 1))])
        with reading(system.settings.database) as db:
            found = [
                [(row["order_id"], row["status"]) for row in search_orders(db, which, 9).rows]
                for which in (
                    Search(prefix="W"), Search(prefix="W", statuses=("SUBMITTED",)),
                    Search(prefix="W", statuses=("CREATED",)),
                )
            ]  # fmt: skip

    assert [[("W-1", "SUBMITTED")], [("W-1", "SUBMITTED")], []] == found


def test_a_page_begins_where_the_last_one_ended(system):
    """By number: nothing twice, nothing left out."""
    first, after = orders(system, limit=2, sku="PEN")
    second, end = orders(system, limit=2, after=after, sku="PEN")

    assert ("EB", "A", None) == (first, second, end)


@pytest.fixture
def dense(monkeypatch):
    """Orders such that many match every condition: no index narrows a search."""
    monkeypatch.setattr(search, "FEW", -1)
    monkeypatch.setattr(search, "WINDOW", 2)


@pytest.mark.parametrize(("which", "expected"), EXPECTED)
def test_windows_find_the_same_as_indexes(system, dense, which, expected):
    """Windows are searched one after the other, within the time limit."""
    assert (expected, None) == orders(system, **which)


def test_a_long_search_returns_where_to_continue(system, dense, monkeypatch):
    """It may find nothing and still be incomplete; all windows together find everything."""
    monkeypatch.setattr(search, "BUDGET", -1.0)
    pages: list[Any] = []
    after = None
    while not pages or after is not None:
        found, after = orders(system, after=after, code="out_of_stock")
        pages.append(found)
    with reading(system.settings.database) as db:
        first = search_orders(db, Search(code="out_of_stock"), 9)

    assert "DB" == "".join(pages)
    assert len(pages) > 2
    assert BEGAN + 3 * 3600 == first.back_to


def test_a_search_that_an_index_narrows_is_complete(system, monkeypatch):
    """For any length of the history: no window is searched."""
    monkeypatch.setattr(search, "BUDGET", -1.0)
    monkeypatch.setattr(search, "WINDOW", 1)
    narrow = ("prefix", "customer", "code", "reason", "step", "version", "amount_from", "ended_to")
    found = [
        (orders(system, **which), expected)
        for which, expected in EXPECTED
        if {*narrow, "amount_to", "statuses"} & {*which}
    ]

    assert [(expected, None) for _, expected in found] == [got for got, _ in found]


def test_a_search_ends_at_the_beginning_of_its_time(system, dense, monkeypatch):
    """With a margin, because orders may be slightly out of order."""
    monkeypatch.setattr(search, "BUDGET", -1.0)
    monkeypatch.setattr(search, "DISORDER", 600.0)
    recent = orders(system, started_from=BEGAN + 4 * 3600)
    began, _ = orders(system, started_to=BEGAN + 3600)
    ended, _ = orders(system, ended_to=BEGAN + 3600)

    assert ("E", None) == recent
    assert ("A", "A") == (began, ended)  # does not begin at the newest: E and D are left out


def test_sagas_are_found_too(system):
    """By values of the saga and of its order; all sagas of an order are on one page."""
    with reading(system.settings.database) as db:
        found = [
            "".join(row["order_id"] for row in search_sagas(db, which, 20).rows)
            for which in (
                Search(saga="place-order", code="out_of_stock"),
                Search(saga="other"),
                Search(statuses=("COMPLETED",), version=1),
                Search(statuses=("COMPLETED", "CANCELLED"), ended_from=BEGAN + 3600),
                attrs.evolve(Search(version=1), started_to=BEGAN + 3600),
                Search(customer="ann", statuses=("COMPLETED",)),
                Search(customer="bob", statuses=("COMPLETED",)),
                Search(sku="PEN", saga="place-order"),
                Search(prefix="C"),
                Search(amount_from=300, currency="EUR"),
            )
        ]
        page = search_sagas(db, Search(version=1), 2)
        second = search_sagas(db, Search(version=1), 9, page.after)

    assert ["DB", "", "ECA", "EDCB", "A", "ECA", "", "EBA", "C", "ED"] == found
    assert ("ann", 400, "EUR") == tuple(
        page.rows[0][name] for name in ("customer_id", "amount", "currency")
    )
    assert ["E", "D"] == [row["order_id"] for row in page.rows]
    assert ["C", "B", "A"] == [row["order_id"] for row in second.rows]
