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
    """The numbers, once no count is under way."""
    with reading(system.settings.database) as db:
        found = of.of(db)
    for thread in threading.enumerate():
        if thread.name == "totals":
            thread.join()
    return found


def made(system):
    """Totals of the system's database."""
    return Totals(lambda: reading(system.settings.database))


def test_what_is_counted_quickly_is_counted_each_time(system):
    """So it is as new as all the rest."""
    of = made(system)
    before = counted(system, of)
    system.put(OrderCreated(order_id="A"))

    assert ({}, {}) == before
    assert ({"COMPLETED": 1}, {"COMPLETED": 1}) == counted(system, of)


def test_what_takes_long_is_kept_and_counted_apart(system, monkeypatch):
    """Who asks gets what is known; the next one gets the new numbers."""
    monkeypatch.setattr(totals, "QUICK", -1.0)
    monkeypatch.setattr(totals, "RARER", 0)
    of = made(system)
    before = counted(system, of)
    system.put(OrderCreated(order_id="A"))
    known = counted(system, of)

    assert ({}, {}) == before == known
    assert {"COMPLETED": 1} == counted(system, of)[0]


def test_a_count_that_fails_keeps_what_is_known(system, monkeypatch):
    """The database may be away for a moment; the next count is made again."""
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
