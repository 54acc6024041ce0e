"""The state of the system in the API: the last hours, the workers, the last audit."""

import json
import time
from typing import Any

import attrs
import httpx
import pytest
from click.testing import CliRunner

from order_sagas.bridges.durations import BUCKETS, bucket_of
from order_sagas.bridges.http.api.system_views import WorkerView
from order_sagas.bridges.processor.messages import Report
from order_sagas.bridges.storage.lag import Lag
from order_sagas.system.cli.main import main
from order_sagas.system.history_recorder import HistoryRecorder
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving

BEFORE = Report([0, 1], 4, 9, 100, 50, 0.0, 0.0, 1, 60.0, begun=54, cancelled=10)


def a_report(**fields: Any) -> Report:
    """A report of a worker that owns shard 0."""
    return attrs.evolve(BEFORE, **{"durations": [0] * BUCKETS, **fields})


def recorder_of(system: EmbeddedSystem, *reports: Report | None) -> HistoryRecorder:
    """A recorder of a worker that gives these reports, one after the other."""
    following = iter(reports)
    return HistoryRecorder(system.settings, lambda: next(following), "0")


def test_the_last_hour_has_what_the_workers_recorded(
    system: EmbeddedSystem, api: httpx.Client
) -> None:
    """Rates for each ten seconds, shares, quantiles; a gap where nothing was recorded."""
    system.start()
    system.put(an_order("A"))
    durations = [0] * BUCKETS
    durations[bucket_of(0.009)] = 30
    later = a_report(begun=114, ended=80, cancelled=25, records=400, durations=durations)
    recorder = recorder_of(system, a_report(), None, later)
    now = time.time() // 10 * 10
    for ago in (40, 30, 10):
        recorder.record(now - ago)
    recorder.close()
    history = api.get("/api/v1/history").json()

    assert (10, 1, [now - 50, now - 40, now - 30, now - 20]) == (
        history["resolution"], history["hours"], history["at"],
    )  # fmt: skip
    assert [5.4, None, None, 6.0] == history["startedRate"]
    assert [5.0, None, None, 3.0] == history["endedRate"]
    assert [0.2, None, None, 0.5] == history["cancelledShare"]
    assert 0.005 < history["durationP95"][3] <= 0.01
    assert history["durationP50"][0] is None
    assert [4, None, None, 4] == history["inFlight"]
    assert [0, None, None, 0] == history["waiting"]
    assert [0, None, None, 0] == history["needsAttention"]


def test_several_hours_have_a_resolution_of_a_minute(
    system: EmbeddedSystem, api: httpx.Client
) -> None:
    """The current minute is left out."""
    recorder = recorder_of(system, a_report(), a_report(ended=110))
    now = time.time() // 60 * 60
    recorder.record(now - 3600)
    recorder.record(now + 10)
    recorder.close()
    history = api.get("/api/v1/history?hours=24").json()

    assert (60, [now - 3660]) == (history["resolution"], history["at"])
    assert [round(50 / 60, 3)] == history["endedRate"]


@pytest.mark.parametrize("hours", ["0", "25", "x", "1.5"])
def test_hours_outside_the_history_are_refused(api: httpx.Client, hours: str) -> None:
    """The error says what is accepted."""
    refused = api.get(f"/api/v1/history?hours={hours}")

    assert 422 == refused.status_code
    assert "from 1 to 24" in refused.json()["detail"]


def test_an_empty_history_is_no_error(api: httpx.Client) -> None:
    """No worker has run yet."""
    assert [] == api.get("/api/v1/history").json()["at"]


def test_workers_are_listed_with_the_lag(system: EmbeddedSystem) -> None:
    """Restarts, shards, and the last error."""
    worker = WorkerView(number=0, pid=7, state="running", restarts=2, shards=[0, 1])
    around = {
        "workers": lambda: ([worker], "worker 1: exited with 9"),
        "running": lambda: 1,
        "lag": lambda: Lag({"order-events": 3}, {"orders": 3, "stock": None}),
    }
    with serving(system.settings, around=around) as api:
        answer = api.get("/api/v1/workers").json()

    assert (1, "worker 1: exited with 9") == (answer["running"], answer["lastError"])
    assert [(0, 2, [0, 1])] == [
        (w["number"], w["restarts"], w["shards"]) for w in answer["workers"]
    ]
    assert ({"order-events": 3}, {"orders": 3, "stock": None}) == (
        answer["lagByTopic"], answer["lagByRole"],
    )  # fmt: skip


def test_the_result_of_the_last_audit_is_shown(system: EmbeddedSystem, api: httpx.Client) -> None:
    """With who ran it, when, and its findings."""
    before = api.get("/api/v1/audit").json()
    system.start()
    system.load({"PEN": 10})
    system.put(an_order("A"))
    with system.store.db.transaction() as cursor:
        cursor.execute("UPDATE payments SET amount = 1")
    database = ["--database", system.settings.database]
    ran = CliRunner().invoke(main, ["audit", "--json", "--by", "ada", *database])
    audit = api.get("/api/v1/audit").json()["audit"]

    assert {"audit": None} == before
    assert ("ada", False) == (audit["by"], audit["ok"])
    assert json.loads(ran.stdout)["ok"] is False
    broken = [each for each in audit["checks"] if each["violations"]]
    assert broken
    assert "A" in {found["subject"] for found in broken[0]["found"]}
    assert audit["at"] > "2026"


def test_a_worker_goes_on_when_its_history_cannot_be_written(system: EmbeddedSystem) -> None:
    """Only the row is lost."""
    with system.store.db.transaction() as cursor:
        cursor.execute("ALTER TABLE history RENAME TO elsewhere")
    recorder = recorder_of(system, a_report())
    try:
        with pytest.raises(Exception, match="history"):
            recorder.record(time.time())
    finally:
        recorder.close()
