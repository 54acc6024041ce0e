"""An outage during which a worker ended puts off the deadlines of the next worker."""

import pytest

from order_sagas.actors.sagas.outages import Outages
from order_sagas.bridges.storage.outage_journal import OutageJournal
from order_sagas.bridges.storage.outages import Outage
from tests.support.embedded import BEGAN, EmbeddedSystem, an_order

SILENT = {"payment_silent_rate": 1.0, "payment_silent_attempts": 9}
WITHIN = 30.0
"""Seconds in which a payment has to be answered."""


@pytest.fixture
def system(tmp_path):
    """A system without replies to payments, with an order that waits for one."""
    with EmbeddedSystem(
        tmp_path, settings=SILENT, outage_folder=tmp_path / "outage_files"
    ) as system:
        system.put(an_order("o-1"))
        yield system


def outage_files(tmp_path) -> list[str]:
    """The files with outages."""
    return [path.name for path in (tmp_path / "outage_files").glob("*")]


@pytest.mark.parametrize("what", ["database", "kafka"])
def test_an_outage_that_lasts_through_a_restart_puts_deadlines_off(system, tmp_path, what) -> None:
    """By its whole length: the time left at its beginning is left at its end."""
    system.advance(10)
    system.outages.begin(what, system.clock.now())
    system.advance(600)
    noted = len(outage_files(tmp_path))
    system.restart()
    system.advance(19)
    before = system.history("o-1")
    system.advance(2)

    assert {"database": 1, "kafka": 0}[what] == noted
    assert [] == outage_files(tmp_path)
    assert ["started"] == before
    assert "step_timed_out process payment" in system.history("o-1")


def test_a_restart_without_an_outage_lets_overdue_deadlines_pass_at_once(system) -> None:
    """After a stop or a kill, and any time without a system."""
    system.crash()
    system.clock.advance(WITHIN + 1)
    system.start()

    assert "step_timed_out process payment" in system.history("o-1")


def test_an_outage_that_ended_before_the_restart_counts(system, tmp_path) -> None:
    """Over several restarts; it is deleted once no saga in flight is as old."""
    system.outages.begin("database", system.clock.now())
    system.advance(600)
    system.outages.end("database", system.clock.now())
    for _ in range(2):
        system.restart()
        system.advance(14)
    before = system.history("o-1")
    system.advance(WITHIN)
    kept = list(system.store.db.rows("SELECT what, until - since FROM outages", ()))
    system.advance(3600)
    system.restart()

    assert ["started"] == before
    assert "step_timed_out process payment" in system.history("o-1")
    assert [("database", 600.0)] == kept
    assert [] == list(system.store.db.rows("SELECT * FROM outages", ()))
    assert [] == outage_files(tmp_path)


def test_the_grace_limits_stored_outages_too(tmp_path) -> None:
    """Like an outage that one worker saw from beginning to end."""
    settings = {**SILENT, "outage_grace": 60.0}
    with EmbeddedSystem(
        tmp_path, settings=settings, outage_folder=tmp_path / "outage_files"
    ) as system:
        system.put(an_order("o-1"))
        system.outages.begin("database", system.clock.now())
        system.advance(20)
        system.crash()
        system.clock.advance(600)
        system.start()

        assert "step_timed_out process payment" in system.history("o-1")


def test_files_of_other_databases_or_unreadable_ones_are_ignored(system, tmp_path) -> None:
    """The folder may contain the logs of several systems."""
    folder, table = tmp_path / "outage_files", system.store.outages
    elsewhere = OutageJournal(table, "postgresql://elsewhere/orders", folder)
    elsewhere.began("database", BEGAN)
    (folder / "outage-broken.json").write_bytes(b"{")
    found = Outages()
    OutageJournal(table, system.settings.database, folder).recall(found, BEGAN + 100)

    assert not found
    assert 2 == len(outage_files(tmp_path))


def test_a_stored_outage_is_ended_by_its_own_worker(system, tmp_path) -> None:
    """Another worker reads it while its own worker still runs, which stores its end later."""
    folder, table = tmp_path / "outage_files", system.store.outages
    ours, other = (OutageJournal(table, "orders", folder) for _ in range(2))
    ours.began("database", BEGAN + 10)
    first = Outages()
    other.recall(first, BEGAN + 20)
    ours.ended("database", BEGAN + 10, BEGAN + 60)
    then = Outages()
    other.recall(then, BEGAN + 70)

    assert (10.0, 50.0) == (first.length(BEGAN, BEGAN + 70), then.length(BEGAN, BEGAN + 70))
    assert [("database", BEGAN + 10, BEGAN + 60)] == [
        Outage(*row)[1:] for row in system.store.db.rows("SELECT * FROM outages", ())
    ]


def test_a_read_only_folder_does_not_stop_the_worker(system, tmp_path) -> None:
    """Outages in memory still count."""
    (tmp_path / "file").touch()
    outages = Outages()
    outages.journal = OutageJournal(system.store.outages, "orders", tmp_path / "file" / "no")
    outages.begin("database", 10.0)
    outages.end("database", 30.0)

    assert 20.0 == outages.length(0.0, 100.0)
