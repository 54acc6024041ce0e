"""The page's frequent queries read no whole table, with any number of ended orders."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.storage import queries, search
from order_sagas.bridges.storage.lag import dead_letter_records
from order_sagas.bridges.storage.search import Search
from tests.support.embedded import EmbeddedSystem, an_order

Ask = Callable[[ReadModel], Any]


@pytest.fixture
def system(tmp_path) -> Iterator[EmbeddedSystem]:
    """A system with orders of two id prefixes."""
    with EmbeddedSystem(tmp_path) as system:
        system.put(*(an_order(f"{begin}-{n}") for begin in ("A", "B") for n in range(3)))
        yield system


@contextmanager
def reading(system: EmbeddedSystem) -> Iterator[ReadModel]:
    reader = ReadModel(system.settings.database, system.parts.registry)
    yield reader
    reader.close()


def scans(reader: ReadModel, ask: Ask) -> list[str]:
    """How SQLite goes through each table that it reads from one end to the other."""
    asked: list[tuple[str, Any]] = []
    engine: Any = reader._engine

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    ask(reader)
    sa.event.remove(engine, "before_cursor_execute", note)
    with reader.moment() as db:
        plans = [
            str(row[3])
            for statement, parameters in asked
            if statement.startswith("SELECT")
            for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert plans
    tables = ("sagas", "order_keys", "orders", "log", "payments", "reservations")
    return [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in tables]


def in_a_moment(ask: Callable[[sa.Connection], Any]) -> Ask:
    """A query on a connection."""

    def asking(reader: ReadModel) -> None:
        with reader.moment() as db:
            ask(db)

    return asking


@pytest.mark.parametrize(
    ("ask", "indexes"),
    [
        (lambda reader: reader.snapshot(), {"sagas_in_flight"}),
        (lambda reader: reader.sagas(["NEEDS_ATTENTION"], 50, None), {"sagas_in_flight"}),
        (lambda reader: reader.sagas(["RUNNING"], 50, (3, "place-order")), {"sagas_in_flight"}),
        (lambda reader: reader.find_orders(Search(prefix="A-"), 50, None), set()),
        (
            lambda reader: reader.find_orders(Search(statuses=("CREATED",), prefix="A-"), 50, 4),
            set(),
        ),
        (in_a_moment(dead_letter_records), {"log_letters"}),
        (in_a_moment(queries.waiting), set()),
    ],
)
def test_the_snapshot_uses_indexes(system, ask: Ask, indexes: set[str]) -> None:
    """Only the totals are counted completely; they are cached longer, the longer they take."""
    with reading(system) as reader:
        reader.snapshot()
        reader._totals._until = float("inf")
        found = scans(reader, ask)

    assert [] == [scan for scan in found if not any(index in scan for index in indexes)]


def test_orders_are_found_by_prefix_in_windows(system, monkeypatch) -> None:
    """If many have the prefix, they are searched from the newest on, window by window."""
    with reading(system) as reader:
        few = reader.find_orders(Search(prefix="A-"), 50, None)
        monkeypatch.setattr(search, "FEW", 2)
        monkeypatch.setattr(search, "WINDOW", 1)
        many = reader.find_orders(Search(prefix="A-"), 50, None)

    assert ["A-2", "A-1", "A-0"] == [order.order_id for order in few.orders]
    assert few == many


@pytest.mark.parametrize("prefix", ["é", "\U0010ffff", "Z%", "z"])
def test_a_prefix_is_matched_literally(system, prefix: str) -> None:
    """Case-sensitive; no character is a wildcard."""
    ids = [f"{prefix}-{end}" for end in ("a", "\U0010ffff\U0010ffff", "\ue000")]
    system.put(*(an_order(order_id) for order_id in [*ids, "Z-1"]))
    with reading(system) as reader:
        found = {
            order.order_id for order in reader.find_orders(Search(prefix=prefix), 50, None).orders
        }

    assert {*ids} == found


def test_sagas_in_flight_are_listed_page_by_page(tmp_path) -> None:
    """The newest first, and none twice."""
    with EmbeddedSystem(tmp_path, settings={"payment_silent_rate": 1.0}) as system:
        system.put(*(an_order(f"o-{n}") for n in range(5)))
        with reading(system) as reader:
            first = reader.sagas(["RUNNING"], 2, None)
            assert first.next
            no, _, name = first.next.partition(".")
            second = reader.sagas(["RUNNING"], 9, (int(no), name))

    found = [saga.order_id for saga in (*first.sagas, *second.sagas)]
    assert [f"o-{n}" for n in reversed(range(5))] == found
    assert second.next is None
