"""`order-sagas schedules`."""

import sys
from datetime import datetime

import pytest

from tests.support.embedded import EmbeddedSystem

APP = """
import attrs
from order_sagas import Schedule
from order_sagas.actors.messages import OrderCreated
from order_sagas.system.order_app import APP as SHOP

NIGHTLY = Schedule("nightly", cron="0 2 * * *", start=lambda due: OrderCreated(order_id=due.id))
APP = attrs.evolve(SHOP, schedules=[NIGHTLY])
"""


@pytest.fixture
def app(tmp_path, monkeypatch):
    """The module of an app with a schedule."""
    (tmp_path / "app_with_schedule.py").write_text(APP)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ORDER_SAGAS_APP", "app_with_schedule:APP")
    yield
    sys.modules.pop("app_with_schedule", None)


def test_an_app_without_schedules_says_so(run, system) -> None:
    assert "The app has no schedules.\n" == run("schedules").stdout


def test_schedules_are_listed_with_what_they_started_last(run, run_json, tmp_path, system, app):
    (before,) = run_json("schedules")
    assert (None, "", None) == (before["next"], before["lastOrder"], before["lastStarted"])
    schedules = sys.modules["app_with_schedule"].APP.schedules
    with EmbeddedSystem(tmp_path, schedules=schedules) as scheduled:
        scheduled.advance(86400.0)
        now = scheduled.clock.now()
    (row,) = run_json("schedules")

    assert row["lastOrder"].startswith("nightly-2023111")
    last, following = map(datetime.fromisoformat, (row["lastStarted"], row["next"]))
    assert last.timestamp() < now < following.timestamp() <= last.timestamp() + 86400.0
    assert "nightly-2023111" in run("schedules").stdout
