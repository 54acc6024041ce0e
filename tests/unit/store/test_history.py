"""Figures of the last hours: added up by minute, bounded, and put together over workers."""

import pytest

from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.history import (
    COARSE,
    FINE,
    KEPT,
    Figures,
    HistoryTable,
    by_moment,
    read_history,
)
from order_sagas.bridges.storage.queries import reading
from tests.support.embedded import EmbeddedSystem

NOON = 1_700_049_600
"""Seconds since the epoch, at the beginning of an hour."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    """The URL of a database with tables, of each kind."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else None
    system = EmbeddedSystem(tmp_path, database=url)
    yield system.settings.database
    system.__exit__()


@pytest.fixture
def table(database):
    """The table of the history."""
    db = connect(database)
    yield HistoryTable(db)
    db.close()


def read(database, resolution, since=0.0):
    with reading(database) as db:
        return read_history(db, resolution, since)


def test_rows_of_ten_seconds_are_added_to_their_minute(table, database):
    """Counters and durations are added, gauges are the newest."""
    for number in range(7):
        figures = Figures(
            at=NOON + 10 * number, source="a", started=2, ended=1, durations=[1, number],
            in_flight=number, needs_attention=10 - number,
        )  # fmt: skip
        table.add(figures)
    fine, coarse = read(database, FINE), read(database, COARSE)

    assert [NOON + 10 * number for number in range(7)] == [row.at for row in fine]
    assert [(NOON, 12, 6, [6, 15], 5, 5), (NOON + 60, 2, 1, [1, 6], 6, 4)] == [
        (r.at, r.started, r.ended, r.durations, r.in_flight, r.needs_attention) for r in coarse
    ]


def test_a_restarted_worker_continues_its_minute(table, database):
    """Its counters begin at zero again, and the row of the minute does not."""
    table.add(Figures(at=NOON, source="a", ended=5, durations=[5]))
    table.add(Figures(at=NOON, source="a", ended=1, durations=[]))

    assert [(6, [5])] == [(row.ended, row.durations) for row in read(database, COARSE)]


def test_old_rows_are_deleted(table, database):
    """Each resolution has its retention, for rows of any worker."""
    for at in (NOON - KEPT[COARSE] - 60, NOON - KEPT[FINE] - 10, NOON - KEPT[FINE]):
        table.add(Figures(at=at, source="gone"))
    table.add(Figures(at=NOON, source="a"))

    assert [NOON - KEPT[FINE], NOON] == [row.at for row in read(database, FINE)]
    assert 3 == len(read(database, COARSE))
    assert [NOON] == [row.at for row in read(database, FINE, since=NOON - 5)]


def test_workers_are_put_together():
    """Sums of their counters, and the gauges of the worker that reads them."""
    first = Figures(
        at=NOON, source="a", ended=2, cancelled=1, durations=[2, 0], in_flight=3, shards=2
    )
    second = Figures(
        at=NOON, source="b", ended=4, durations=[1, 3], in_flight=1, shards=2, waiting=7
    )
    later = Figures(at=NOON + 10, source="b")
    moment, other = by_moment([first, second, later])

    assert (6, 1, [3, 3], 4, 4, 2, 7) == (
        moment.ended, moment.cancelled, moment.durations, moment.in_flight, moment.shards,
        moment.workers, moment.waiting,
    )  # fmt: skip
    assert moment.overdue is None
    assert (1, None) == (other.workers, other.waiting)
