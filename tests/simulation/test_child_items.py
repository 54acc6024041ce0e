"""A saga with a child saga for each item: all end the same way, under every fault."""

import pytest

from order_sagas import Saga
from order_sagas.actors.messages import CancelSaga
from order_sagas.actors.sagas.state import Status
from order_sagas.actors.topics import OPERATORS
from order_sagas.system.harness import Crash, Delay, Harness, hours, seconds, simulated_business
from order_sagas.system.harness.campaign import run_seed
from tests.support.insured_groups import AT_ONCE, HURRIED, IN_ORDER, REFUSED, an_app
from tests.support.insured_trips import Paper, TripPlanned

COMPLETED, CANCELLED = Status.COMPLETED, Status.CANCELLED
TRIPS = 15


def plan(system: Harness, *people: str, refuse: str = "") -> None:
    """Start the saga of a trip."""
    start = TripPlanned(order_id="T-1", insurance=",".join(people), refuse=refuse)
    system.publish("trip-events", start)


def ends(system: Harness) -> dict[str, Status]:
    """The status of each saga, by order."""
    return {saga.order_id: Status(saga.status) for saga in system.books.sagas()}


def papers(system: Harness) -> dict[str, tuple[int, int]]:
    """What was done and what was undone for each order."""
    return {each.order_id: (each.done, each.undone) for each in system.books.all_of(Paper)}


@pytest.mark.parametrize("saga", [AT_ONCE, IN_ORDER, HURRIED], ids=["once", "order", "hurried"])
@pytest.mark.parametrize("workers", [0, 2])
def test_parents_and_children_end_the_same_way_under_faults(
    monkeypatch: pytest.MonkeyPatch, saga: Saga[TripPlanned], workers: int
) -> None:
    """All done or all undone: a rule is checked for each order at the end."""
    business = simulated_business.AppBusiness(an_app(saga))
    monkeypatch.setattr("order_sagas.system.harness.simulation.business_of", lambda _: business)
    seeds = range(2) if workers else range(25)
    outcomes = [run_seed(seed, TRIPS, "heavy", workers, "groups") for seed in seeds]

    assert [] == [each.violations for each in outcomes if each.violations]
    statuses = sum((each.statuses for each in outcomes), start=type(outcomes[0].statuses)())
    assert statuses.total() > 2 * TRIPS * len(seeds)
    assert min(statuses["COMPLETED"], statuses["CANCELLED"]) > len(seeds)


def test_a_refused_child_undoes_all_others() -> None:
    with Harness(app=an_app(AT_ONCE), order="fifo") as system:
        plan(system, "ann", f"bob{REFUSED}", "cy")
        system.run_until_ended()
        system.expect_no_violations()

        assert dict.fromkeys(("T-1", "ann", f"bob{REFUSED}", "cy"), CANCELLED) == ends(system)
        assert all(done == undone > 0 for done, undone in papers(system).values())


def test_an_operator_cancels_a_trip_and_all_its_children() -> None:
    """Some have completed, one runs: it is cancelled while its command is on its way."""
    late = Delay("FILE_POLICY", order="cy", seconds=hours(1))
    with Harness(app=an_app(AT_ONCE), faults=[late]) as system:
        plan(system, "ann", "bob", "cy")
        system.advance(seconds(30))
        assert {"T-1": Status.RUNNING, "ann": COMPLETED, "bob": COMPLETED} == {
            order: status for order, status in ends(system).items() if order != "cy"
        }
        cancel = CancelSaga(order_id="T-1", saga="book-trip", by="operator", why="test")
        system.publish(OPERATORS, cancel)
        system.run_until_quiet()
        system.expect_no_violations()

        assert dict.fromkeys(("T-1", "ann", "bob", "cy"), CANCELLED) == ends(system)
        assert all(done == undone for done, undone in papers(system).values())


def test_two_items_with_one_order_id_fail_with_a_code() -> None:
    """Both items would start the same child saga."""
    with Harness(app=an_app(AT_ONCE)) as system:
        plan(system, "ann", "ann")
        system.run_until_ended()
        system.expect("T-1").to_be(CANCELLED).because("order_in_use")
        system.expect_no_violations()


@pytest.mark.parametrize("refuse", ["", "confirmed"])
@pytest.mark.parametrize("point", ["before commit", "after commit", "after send"])
def test_a_crash_at_any_point_changes_nothing(point: str, refuse: str) -> None:
    for nth in range(1, 30, 3):
        with Harness(app=an_app(AT_ONCE), faults=[Crash(point, nth, down=5.0)]) as system:
            plan(system, "ann", "bob", refuse=refuse)
            system.advance(hours(3))
            system.expect_no_violations()

            end = CANCELLED if refuse else COMPLETED
            assert dict.fromkeys(("T-1", "ann", "bob"), end) == ends(system), nth


def test_the_trace_of_the_parent_has_all_children() -> None:
    with Harness(app=an_app(AT_ONCE)) as system:
        plan(system, "ann", "bob")
        system.run_until_ended()
        trace = system.trace("T-1")

    for saga_id in ("book-trip/T-1", "insure-trip/ann", "insure-trip/bob"):
        assert f"saga {saga_id}" in trace
    assert "insure[1]" in trace
