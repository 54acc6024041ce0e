"""A saga with a child saga: both end the same way, under every fault."""

from typing import Any

import pytest

from order_sagas.actors.messages import CancelSaga
from order_sagas.actors.sagas.child import Child
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.durations import hours
from order_sagas.actors.sagas.state import SagaState, Status
from order_sagas.actors.topics import OPERATORS
from order_sagas.system.harness import (
    Crash,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Harness,
    minutes,
)
from tests.support.insured_trips import (
    BOOK,
    BOOK_TRIP,
    CONFIRM,
    INSURE_TRIP,
    SAGAS,
    SERVICES,
    InsuranceWanted,
    Paper,
    TripPlanned,
    wanted,
)

POINTS = (
    "before commit", "after commit", "after publish", "after send", "before message",
)  # fmt: skip
COMPLETED, CANCELLED = Status.COMPLETED, Status.CANCELLED


def a_harness(*faults: Fault, sagas: Any = SAGAS, **arguments: Any) -> Harness:
    """A harness that runs only trips and insurances."""
    return Harness(sagas=sagas, services=SERVICES, order="fifo", faults=faults, **arguments)


def plan(system: Harness, refuse: str = "", trip: str = "T-1", insurance: str = "I-7") -> None:
    """Start the saga of a trip, and let it end."""
    start = TripPlanned(order_id=trip, insurance=insurance, refuse=refuse)
    system.publish("trip-events", start)
    system.advance(hours(3))


def cancel(system: Harness, trip: str) -> None:
    """Cancel a trip, as an operator does."""
    command = CancelSaga(order_id=trip, saga="book-trip", by="operator", why="changed his mind")
    system.publish(OPERATORS, command)


def ends(system: Harness) -> dict[str, Status]:
    """The status of each saga, by id."""
    return {saga.saga_id: Status(saga.status) for saga in system.books.sagas()}


def saga(system: Harness, saga_id: str) -> SagaState:
    """A stored saga."""
    return next(each for each in system.books.sagas() if each.saga_id == saga_id)


def papers(system: Harness) -> dict[str, tuple[int, int]]:
    """What was done and undone for each order."""
    return {each.order_id: (each.done, each.undone) for each in system.books.all_of(Paper)}


def test_a_child_completes_before_the_next_step_is_sent() -> None:
    with a_harness() as system:
        plan(system)
        system.expect_no_violations()

        assert {"book-trip/T-1": COMPLETED, "insure-trip/I-7": COMPLETED} == ends(system)
        assert {"T-1": (2, 0), "I-7": (2, 0)} == papers(system)
        steps = [e.step for e in saga(system, "book-trip/T-1").history if e.step]
    assert ["book", "insure", "confirm"] == steps


def test_a_child_that_fails_fails_its_step() -> None:
    """With the code and the reason of the child, which undoes its own steps itself."""
    with a_harness() as system:
        plan(system, refuse="filed")
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": CANCELLED} == ends(system)
        assert {"T-1": (1, 1), "I-7": (1, 1)} == papers(system)
        trip = saga(system, "book-trip/T-1")
    assert ("insure", "no", "filed") == (trip.failed_step, trip.code, trip.reason)


def test_a_completed_child_is_undone_with_its_parent() -> None:
    """The last step of the parent fails; the ended child is restored, and compensates its steps."""
    with a_harness() as system:
        plan(system, refuse="confirmed")
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": CANCELLED} == ends(system)
        assert {"T-1": (1, 1), "I-7": (2, 2)} == papers(system)
        child = saga(system, "insure-trip/I-7")
        events = [e.event for e in child.history]
    assert ("undone_by_parent", "book-trip/T-1 undoes it") == (child.code, child.reason)
    assert ["saga.completed", "saga.undo_asked"] == events[3:5]
    assert "saga.cancelled" == events[-1]


def test_cancelling_a_parent_cancels_its_running_child() -> None:
    with a_harness(Delay("FILE_POLICY", seconds=hours(1))) as system:
        start = TripPlanned(order_id="T-1", insurance="I-7")
        system.publish("trip-events", start)
        system.advance(minutes(0.5))
        cancel(system, "T-1")
        system.advance(hours(3))
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": CANCELLED} == ends(system)
        assert all(done == undone for done, undone in papers(system).values())


LOST = ("INSURANCE_WANTED", "CHILD_COMPLETED", "CHILD_CANCELLED", "UNDO_CHILD")


@pytest.mark.parametrize("log", ["embedded", "topics"])
@pytest.mark.parametrize("refuse", ["", "filed", "confirmed"])
@pytest.mark.parametrize("fault", [Drop, Duplicate, lambda status: Delay(status, seconds=hours(2))])
@pytest.mark.parametrize("status", LOST)
def test_records_between_parent_and_child_are_lost_repeated_or_late(
    status, fault, refuse, log
) -> None:
    """The parent asks again, and both end the same way."""
    with a_harness(fault(status), log=log) as system:
        plan(system, refuse)
        system.advance(hours(20))
        system.expect_no_violations()

        end = CANCELLED if refuse else COMPLETED
        assert {"book-trip/T-1": end, "insure-trip/I-7": end} == ends(system)
        if refuse:
            assert all(done == undone for done, undone in papers(system).values())


@pytest.mark.parametrize("log", ["embedded", "topics"])
@pytest.mark.parametrize("refuse", ["", "filed", "confirmed"])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_changes_nothing(point, refuse, log) -> None:
    for nth in range(1, 25, 1 if log == "topics" else 3):
        with a_harness(Crash(point, nth, down=5.0), log=log) as system:
            plan(system, refuse)
            system.expect_no_violations()

            end = CANCELLED if refuse else COMPLETED
            assert {"book-trip/T-1": end, "insure-trip/I-7": end} == ends(system), nth
            if refuse:
                assert all(done == undone for done, undone in papers(system).values()), nth


def test_parents_and_children_live_on_different_workers() -> None:
    with a_harness(log="topics", workers=2, latency=0.1) as system:
        for number, refuse in enumerate(("", "signed", "filed", "confirmed") * 3):
            plan(system, refuse, trip=f"T-{number}", insurance=f"I-{number}")
        system.expect_no_violations()

        found = ends(system)
        for number in range(12):
            end = CANCELLED if number % 4 else COMPLETED
            assert end == found[f"book-trip/T-{number}"] == found[f"insure-trip/I-{number}"]


@pytest.mark.parametrize("is_over", [True, False])
def test_a_child_whose_order_is_in_use_fails_the_step(is_over) -> None:
    """The other saga is not affected, also when the parent is undone."""
    faults = () if is_over else (Delay("FILE_POLICY", seconds=hours(1)),)
    with a_harness(*faults) as system:
        system.publish("insurer-events", InsuranceWanted(order_id="I-7"))
        system.advance(1.0)
        plan(system)
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": COMPLETED} == ends(system)
        trip = saga(system, "book-trip/T-1")
        assert {"T-1": (1, 1), "I-7": (2, 0)} == papers(system)
    assert ("insure", "order_in_use") == (trip.failed_step, trip.code)
    assert "order I-7 has a saga 'insure-trip' already" == trip.reason


def test_two_parents_that_want_one_child_get_it_once() -> None:
    """The first parent gets the child, the step of the second fails."""
    with a_harness() as system:
        plan(system, trip="T-1")
        plan(system, trip="T-2")
        system.expect_no_violations()

        assert [COMPLETED, CANCELLED, COMPLETED] == [
            ends(system)[saga_id] for saga_id in ("book-trip/T-1", "book-trip/T-2",
                                                  "insure-trip/I-7")
        ]  # fmt: skip


def test_a_detached_child_is_neither_waited_for_nor_undone() -> None:
    insure = Child("insure", saga=INSURE_TRIP, start=wanted, detached=True)
    trip = Saga("book-trip", 1, TripPlanned, [BOOK, insure, CONFIRM])
    with a_harness(sagas=[trip, INSURE_TRIP]) as system:
        plan(system, refuse="confirmed")
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": COMPLETED} == ends(system)
        assert {"T-1": (1, 1), "I-7": (2, 0)} == papers(system)


@pytest.mark.parametrize("runs", [True, False])
def test_a_child_that_needs_no_undo_is_cancelled_only_while_it_runs(runs) -> None:
    insure = Child("insure", saga=INSURE_TRIP, start=wanted, needs_no_undo=True)
    trip = Saga("book-trip", 1, TripPlanned, [BOOK, insure, CONFIRM])
    faults = (Delay("FILE_POLICY", seconds=minutes(2)),) if runs else ()
    with a_harness(*faults, sagas=[trip, INSURE_TRIP]) as system:
        system.publish("trip-events", TripPlanned(order_id="T-1", insurance="I-7",
                                                  refuse="" if runs else "confirmed"))  # fmt: skip
        if runs:
            system.advance(minutes(0.5))
            cancel(system, "T-1")
        system.advance(hours(3))
        system.expect_no_violations()

        end = CANCELLED if runs else COMPLETED
        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": end} == ends(system)


def test_a_child_that_exceeds_its_deadline_is_undone() -> None:
    insure = Child("insure", saga=INSURE_TRIP, start=wanted, within=minutes(1.5))
    trip = Saga("book-trip", 1, TripPlanned, [BOOK, insure, CONFIRM])
    faults = [Drop("FILE_POLICY", nth=n) for n in (1, 2)]
    with a_harness(*faults, sagas=[trip, INSURE_TRIP]) as system:
        plan(system)
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": CANCELLED} == ends(system)
        assert ("insure", "timed_out") == (
            saga(system, "book-trip/T-1").failed_step, saga(system, "book-trip/T-1").code,
        )  # fmt: skip


def test_a_start_that_comes_after_its_undo_starts_nothing() -> None:
    """The undo is a tombstone: the child is stored as cancelled."""
    insure = Child("insure", saga=INSURE_TRIP, start=wanted, within=minutes(1))
    trip = Saga("book-trip", 1, TripPlanned, [BOOK, insure, CONFIRM])
    with a_harness(
        Delay("INSURANCE_WANTED", seconds=hours(1)), sagas=[trip, INSURE_TRIP]
    ) as system:
        plan(system)
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/I-7": CANCELLED} == ends(system)
        assert {"T-1": (1, 1)} == papers(system)


def test_one_order_may_have_both_sagas() -> None:
    with a_harness() as system:
        plan(system, insurance="T-1", refuse="confirmed")
        system.expect_no_violations()

        assert {"book-trip/T-1": CANCELLED, "insure-trip/T-1": CANCELLED} == ends(system)


def test_the_trace_of_a_parent_shows_its_child() -> None:
    """Although the child has another order; the trace of the child does not show the parent."""
    with a_harness() as system:
        plan(system)
        plan(system, trip="T-2", insurance="I-8")

        parent, child = system.trace("T-1"), system.trace("I-7")
    assert "saga book-trip/T-1" in parent
    assert "saga insure-trip/I-7" in parent
    assert "started by book-trip/T-1" in parent
    assert "I-8" not in parent
    assert "saga book-trip/T-1" not in child


def test_a_parent_whose_child_is_not_registered_is_refused() -> None:
    with pytest.raises(ValueError, match="runs the saga 'insure-trip', which is not registered"):
        Harness(sagas=[BOOK_TRIP], services=SERVICES)
