"""The numbers of all orders and of all sagas that ended."""

import threading

import pytest

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.http.api import totals
from order_sagas.bridges.http.api.totals import Totals
from order_sagas.bridges.storage.queries import reading
from tests.support.embedded import EmbeddedSystem


@pytest.fixture
def system(tmp_path):
    """A system without orders."""
    with EmbeddedSystem(tmp_path) as system:
        yield system


def counted(system, of):
    """The numbers, after running counts have ended."""
    with reading(system.settings.database) as db:
        found = of.of(db)
    for thread in threading.enumerate():
        if thread.name == "totals":
            thread.join()
    return found


def made(system):
    """Totals of the system's database."""
    return Totals(lambda: reading(system.settings.database))


def test_a_fast_count_is_repeated_each_time(system):
    """So it is current."""
    of = made(system)
    before = counted(system, of)
    system.put(OrderCreated(order_id="A"))

    assert ({}, {}) == before
    assert ({"COMPLETED": 1}, {"COMPLETED": 1}) == counted(system, of)


def test_a_slow_count_is_cached_and_repeated_on_another_thread(system, monkeypatch):
    """A request gets the cached numbers; a later one gets the new ones."""
    monkeypatch.setattr(totals, "QUICK", -1.0)
    monkeypatch.setattr(totals, "RARER", 0)
    of = made(system)
    before = counted(system, of)
    system.put(OrderCreated(order_id="A"))
    known = counted(system, of)

    assert ({}, {}) == before == known
    assert {"COMPLETED": 1} == counted(system, of)[0]


def test_a_failed_count_keeps_the_cached_numbers(system, monkeypatch):
    """The next count is made again."""
    monkeypatch.setattr(totals, "QUICK", -1.0)
    monkeypatch.setattr(totals, "RARER", 0)
    paths = [system.settings.database, "sqlite:////no/such/file.db", system.settings.database]
    of = Totals(lambda: reading(paths.pop()))
    before = counted(system, of)
    system.put(OrderCreated(order_id="A"))
    counted(system, of)
    paths[:] = ["sqlite:////no/such/file.db"]
    after = counted(system, of)
    paths[:] = [system.settings.database]

    assert ({}, {}) == before
    assert {"COMPLETED": 1} == after[0]
    assert {"COMPLETED": 1} == counted(system, of)[0]
