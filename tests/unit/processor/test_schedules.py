"""Schedules: each due time starts one saga, despite restarts and takeovers of workers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.schedules import Due, Schedule
from order_sagas.bridges.storage.connection import connect
from order_sagas.system.app import App
from order_sagas.system.bootstrap import open_store
from order_sagas.system.order_app import APP
from tests.support.embedded import EmbeddedSystem, an_order

HOUR, DAY = 3600.0, 86400.0
BERLIN = "Europe/Berlin"
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def restock(due: Due) -> OrderCreated:
    """The order of a due time."""
    return an_order(due.id)


def nightly(**fields: Any) -> Schedule:
    """A schedule at two o'clock."""
    return Schedule("nightly", **{"cron": "0 2 * * *", "start": restock, **fields})


def a_system(tmp_path, *schedules: Schedule, began: float = MIDNIGHT, **given: Any):
    return EmbeddedSystem(tmp_path, schedules=schedules, began=began, **given)


def started(system: EmbeddedSystem) -> list[str]:
    """The orders that sagas were started for."""
    rows = system.store.db.rows("SELECT order_id FROM sagas ORDER BY no", ())
    return [order_id for (order_id,) in rows]


def test_each_due_time_starts_one_saga(tmp_path) -> None:
    with a_system(tmp_path, nightly()) as system:
        system.advance(HOUR)
        assert [] == started(system)
        system.advance(HOUR)
        assert ["nightly-20260601T020000Z"] == started(system)
        system.advance(2 * DAY)

        assert [
            "nightly-20260601T020000Z", "nightly-20260602T020000Z", "nightly-20260603T020000Z",
        ] == started(system)  # fmt: skip
        row = system.store.schedules.all()["nightly"]
        assert ("nightly-20260603T020000Z", MIDNIGHT + 2 * DAY + 2 * HOUR) == row[2:]


def test_nothing_is_started_twice_over_restarts(tmp_path) -> None:
    with a_system(tmp_path, nightly()) as system:
        for _ in range(30):
            system.restart()
            system.advance(HOUR)

        assert ["nightly-20260601T020000Z", "nightly-20260602T020000Z"] == started(system)


def test_two_workers_start_one_saga(tmp_path) -> None:
    """The one that owns the shard of the schedule's name."""
    every = [nightly(), Schedule("hourly", cron="0 * * * *", start=restock)]
    shards = (frozenset({0, 1}), frozenset({2, 3}))
    systems = [a_system(tmp_path / "x", *every, shards=each, database=f"sqlite:///{tmp_path}/o.db")
               for each in shards]  # fmt: skip
    for system in systems:
        system.start()
    for _ in range(5):
        for system in systems:
            system.advance(HOUR)
    ids = started(systems[0])
    for system in systems:
        system.__exit__()

    assert len(set(ids)) == len(ids)
    assert {"nightly-20260601T020000Z", "hourly-20260601T030000Z"} < set(ids)


def test_a_takeover_starts_nothing_again(tmp_path) -> None:
    """The worker that was fenced off commits nothing."""
    with a_system(tmp_path, nightly()) as system:
        other = open_store(system.settings, system.parts.registry, APP.services)
        for _ in range(3):
            other.claim(["log"], [0, 1, 2, 3])
            system.advance(HOUR)
        other.close()

        assert ["nightly-20260601T020000Z"] == started(system)


def test_rows_are_read_at_the_start_and_after_a_rollback_only(tmp_path) -> None:
    """Not in every batch; the worker itself writes the rows of its shards."""
    reads: list[str] = []

    class Noted:
        def __init__(self, url: str) -> None:
            self._connection = connect(url)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def rows(self, sql: str, parameters: Any) -> Any:
            if "FROM schedules" in sql:
                reads.append(sql)
            return self._connection.rows(sql, parameters)

    with a_system(tmp_path, nightly()) as system:
        system.crash()
        system.parts = attrs.evolve(system.parts, connect=Noted)
        system.start()
        for number in range(5):
            system.put(an_order(f"o-{number}"))
        system.advance(3 * HOUR)
        assert 1 == len(reads)
        assert "nightly-20260601T020000Z" in started(system)

        other = open_store(system.settings, system.parts.registry, APP.services)
        other.claim(["log"], [0, 1, 2, 3])
        other.close()
        system.put(an_order("o-5"))
        system.advance(HOUR)
        assert 1 < len(reads) < 4


@pytest.mark.parametrize(
    ("catch_up", "days"), [("all", [2, 3, 4]), ("latest", [4]), ("none", [])]
)  # fmt: skip
def test_due_times_that_were_missed(tmp_path, catch_up, days) -> None:
    with a_system(tmp_path, nightly(catch_up=catch_up)) as system:
        system.advance(3 * HOUR)
        system.crash()
        system.clock.advance(3 * DAY)
        system.start()
        system.advance(10)
        assert [f"nightly-2026060{day}T020000Z" for day in [1, *days]] == started(system)
        system.advance(DAY)

        assert "nightly-20260605T020000Z" == started(system)[-1]


def test_daylight_saving_time(tmp_path) -> None:
    """A time that does not exist is due after the gap, one that exists twice is due once."""
    schedule = nightly(cron="30 2 * * *", timezone=BERLIN, catch_up="all")
    hourly = Schedule("hourly", cron="0 * * * *", timezone=BERLIN, start=restock)

    def due(schedule: Schedule, since: datetime, days: float) -> list[str]:
        until = since + timedelta(days=days)
        found: list[str] = []
        for each in schedule.after(since.timestamp()):
            if each.at >= until:
                return found
            found.append(each.id.rpartition("-")[2])
        return found

    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert ["20260329T010000Z", "20260330T003000Z"] == due(schedule, spring, 2)
    assert ["20261025T003000Z", "20261026T013000Z"] == due(schedule, autumn, 2)
    assert 47 == len(set(due(hourly, autumn, 2)))
    twice = datetime(2026, 10, 25, 1, 5, tzinfo=UTC)  # 02:05 for the second time
    assert ["20261026T013000Z"] == due(schedule, twice, 1.5)


def test_a_start_that_raises_is_retried_and_loses_nothing(tmp_path) -> None:
    broken = [True]

    def start(due: Due) -> OrderCreated:
        if broken[0]:
            raise ValueError("no calendar")
        return restock(due)

    with a_system(tmp_path, nightly(start=start), nightly_other()) as system:
        system.advance(3 * HOUR)
        assert ["other-20260601T020000Z"] == started(system)
        broken[0] = False
        system.advance(120)

        assert "nightly-20260601T020000Z" == started(system)[-1]


def nightly_other() -> Schedule:
    return Schedule("other", cron="0 2 * * *", start=restock)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cron": "61 * * * *"}, "schedule 'nightly': cron '61 * * * *': Bad minute"),
        ({"timezone": "Mars/Olympus"}, "timezone 'Mars/Olympus' is none; use a name of the IANA"),
        ({"catch_up": "some"}, "catch_up must be one of all, latest, none, not 'some'"),
    ],
)
def test_a_wrong_schedule_is_refused(fields, reason) -> None:
    with pytest.raises(DefinitionError) as refused:
        nightly(**fields)

    assert reason in str(refused.value)


class UnknownStart(Message):
    """A message that starts nothing."""


@pytest.mark.parametrize(
    ("schedules", "reason"),
    [
        ([nightly(), nightly()], "two schedules are named 'nightly'"),
        (
            [nightly(start=lambda due: UnknownStart(order_id=due.id))],
            "no saga starts on UnknownStart; sagas start on OrderCreated",
        ),
        ([nightly(start=lambda due: 1 / 0)], "`start` raises ZeroDivisionError"),
    ],
)
def test_an_app_refuses_schedules_that_start_nothing(schedules, reason) -> None:
    with pytest.raises(DefinitionError, match=reason):
        App(sagas=[PLACE_ORDER], services=APP.services, schedules=schedules)
