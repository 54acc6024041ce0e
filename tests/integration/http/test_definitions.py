"""Definitions in the API: their versions, and the figures of their steps."""

import httpx

from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import HistoryEntry, SagaState, Status, StepState
from order_sagas.bridges.http.api.definition_figures import InFlight, figures_of
from order_sagas.bridges.http.api.definition_views import definition_view
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving
from tests.support.trips import AT_ONCE

DEFINITIONS = "/api/v1/definitions"


def test_versions_are_listed_with_their_sagas_in_flight(
    system: EmbeddedSystem, api: httpx.Client
) -> None:
    """By status and by step; failures and durations of the newest sagas."""
    system.start()
    system.load({"PEN": 4})
    system.put(*(an_order(f"o-{n}") for n in range(4)))
    api.post("/api/v1/services/payments/pause", json={"why": "a test"})
    system.put(an_order("late"))
    answer = api.get(DEFINITIONS).json()
    (figures,) = answer["definitions"]
    steps = {each["step"]: each for each in figures["steps"]}

    assert ("place-order", 1, True) == tuple(
        figures["definition"][name] for name in ("saga", "version", "newest")
    )
    assert ({"RUNNING": 1}, 5, 5) == (figures["inFlight"], figures["sampled"], answer["sampled"])
    assert {"process payment": 1} == {
        name: each["inFlight"] for name, each in steps.items() if each["inFlight"]
    }
    assert (4, 0, 0.0) == tuple(
        steps["process payment"][name] for name in ("done", "failed", "failureShare")
    )
    assert (2, 2, 0.5) == tuple(
        steps["reserve stock"][name] for name in ("done", "failed", "failureShare")
    )
    assert steps["reserve stock"]["durationP95"] < 0.01
    answer = steps["notify customer"]  # it has no reply: only that it was sent is known
    assert (2, 0, None) == tuple(answer[name] for name in ("done", "failed", "failureShare"))
    assert 5 == steps["create order"]["done"]  # undone since, for two of them


def test_a_version_in_flight_that_is_not_registered_is_listed(system: EmbeddedSystem) -> None:
    """From the shape stored in the database."""
    system.start()
    system.load({"PEN": 4})
    system.put(an_order("ended"))
    with serving(system.settings, around={"registry": Registry(())}) as api:
        before = api.get(DEFINITIONS).json()
        api.post("/api/v1/services/intake/pause", json={"why": "a test"})
        with system.store.db.transaction() as cursor:
            cursor.execute("UPDATE sagas SET ended_at = NULL, status = 'RUNNING'")
        (figures,) = api.get(DEFINITIONS).json()["definitions"]

    assert [] == before["definitions"]
    assert (False, {"RUNNING": 1}) == (figures["definition"]["registered"], figures["inFlight"])
    assert 1 == figures["steps"][1]["done"]


def test_steps_are_measured_from_the_end_of_the_stage_before() -> None:
    """Items count one by one for their row; a failure counts for the step that it names."""
    entries = [
        ("step_completed", "book flight", 10.0), ("step_completed", "book seat[1]", 12.0),
        ("step_completed", "book seat[0]", 14.0), ("step_failed", "book hotel", 20.0),
    ]  # fmt: skip
    history = tuple(HistoryEntry(at, f"saga.{event}", step) for event, step, at in entries)
    saga = SagaState(
        "trip/T", "T", "trip", 1, int(Status.CANCELLED), 1, (StepState(),) * 6, None, 0.0,
        failed_step="book hotel", history=history, items=(1, 1),
    )  # fmt: skip
    in_flight = InFlight()
    in_flight.by_step["trip", 1].update({"book seat[1]": 2, "book hotel": 1})
    figures = figures_of(definition_view(AT_ONCE, newest=True), in_flight, [saga])
    found = {each.step: each for each in figures.steps}

    assert [("book flight", 1, 0, 0), ("book seats", 2, 0, 2), ("book hotel", 0, 1, 1)] == [
        (each.step, each.done, each.failed, each.in_flight) for each in figures.steps[:3]
    ]
    assert 5.6 < (found["book flight"].duration_p95 or 0) <= 10
    assert 1 < (found["book seats"].duration_p50 or 0) <= 3.2
    assert 5.6 < (found["book hotel"].duration_p95 or 0) <= 10
