"""The report of a failure begins with errors of services, and has the time of each fault."""

from typing import Any, get_args

import pytest

from order_sagas import Answer, Saga, Step, seconds
from order_sagas.system.harness import (
    CANCELLED,
    COMPLETED,
    CallFails,
    CommitFails,
    Crash,
    Delay,
    Drop,
    Harness,
    Silent,
    an_order,
    minutes,
)
from order_sagas.system.harness.expectation import UnmetExpectation, Violated
from order_sagas.system.harness.faults import AnyFault
from order_sagas.system.harness.incident_words import effect
from tests.support.rentals import APP
from tests.support.rentals.messages import RentalRequested, ReserveCar
from tests.support.rentals.services import Cars, Deposits

NOTHING_THERE: dict[str, Answer] = {}


class Broken(Cars):
    """A service with a typing error."""

    handlers = {message: (lambda *_: NOTHING_THERE["no such key"]) for message in Cars.handlers}


def test_a_handler_that_raised_is_the_first_line_of_the_failed_expectation() -> None:
    """With its place in the user's code; its dead letter is a violation."""
    with Harness(app=APP, services=[Broken, Deposits]) as system:
        rental = system.start(RentalRequested(order_id="R-1", days=1))
        system.advance(minutes(20))
        with pytest.raises(UnmetExpectation) as unmet:
            system.expect(rental).to_be(COMPLETED)
        with pytest.raises(Violated) as violated:
            system.expect_no_violations()

    said = "order R-1: service 'cars' raised KeyError: 'no such key' at RESERVE_CAR (test_failure_"
    for error in (unmet, violated):
        first, *_, last = str(error.value).splitlines()
        assert first.startswith(said)
        assert first.endswith(", in <lambda>), 6 times")
    assert "expected order R-1 to be COMPLETED" in str(unmet.value)
    assert last.startswith("no dead letters: R-1: dead letter of RELEASE_CAR")


def test_the_report_begins_with_errors_of_services() -> None:
    """And the trace has the dead letters at their places."""
    with Harness(app=APP, services=[Broken, Deposits]) as system:
        rental = system.start(RentalRequested(order_id="R-1", days=1))
        system.advance(seconds(5))
        story, trace = system.story(rental), system.trace(rental)

    title, first, *_ = story.splitlines()
    assert "What went wrong in services:" == title
    assert first.startswith("  order R-1: service 'cars' raised KeyError: 'no such key'")
    assert "reserve car" in trace
    assert "dead letter of RESERVE_CAR: KeyError: 'no such key'" in trace


def test_each_fault_is_listed_with_its_time() -> None:
    """Faults without effect are not listed."""
    faults = [
        Drop("PAYMENT_COMPLETED"),
        Delay("STOCK_RESERVED", seconds=3.0),
        Crash("after commit", nth=2, down=5.0),
        CommitFails(nth=3, where="during"),
        Drop("ROLLBACK_STOCK"),
    ]
    with Harness(faults=faults) as system:
        order = system.place(an_order())
        system.advance(minutes(2))
        system.expect(order).to_be(COMPLETED)
        told = happened(system, order, "fault")

    assert {
        "PAYMENT_COMPLETED is lost": 0,
        "worker 0 crashes after commit, and starts again after 5 s": 30,
        "STOCK_RESERVED arrives 3 s late": 35,
        "a commit fails during the transaction": 35,
    } == {text: int(at) for at, text in told}
    assert sorted(told) == told


def test_calls_and_writes_are_listed_too() -> None:
    """A call that was made twice comes first, with its keys."""
    with Harness(local=False, faults=[CallFails(how="after")]) as system:
        order = system.place(an_order())
        system.advance(minutes(2))
        system.expect(order).to_be(COMPLETED)
        calls, writes = happened(system, order, "call"), happened(system, order, "write")
        wrong = system.went_wrong(order)

    assert [f"order {order}: payments called charge 2 times with one key"] == [
        line.partition(",")[0] for line in wrong
    ]
    assert [
        f"payments calls charge with the key {order}, which is made and then fails",
        f"payments calls charge with the key {order}",
    ] == [text for _, text in calls[:2]]
    payments = [text for _, text in writes if text.startswith("Payment")]
    assert payments[0].startswith('Payment is status "PENDING"')
    assert payments[-1].startswith('Payment is now status "COMPLETED"')


def test_an_exception_caused_by_a_fault_is_no_error() -> None:
    """Nor is a service that is silent because of a fault."""
    with Harness(faults=[Silent("stock")]) as system:
        order = system.place(an_order())
        system.payment.raises(times=6, order=order, status="PROCESS_PAYMENT")
        system.advance(minutes(5))
        system.expect(order).to_be(CANCELLED)
        system.expect_no_violations()

        assert [] == system.went_wrong(order)
        told = [text for _, text in happened(system, order, "fault")]
        assert 6 == told.count("PROCESS_PAYMENT makes payments raise, on purpose")


def test_an_exception_of_a_definition_is_listed_as_one_of_the_saga() -> None:
    """There is no saga then, and no trace."""
    step: Step[Any] = Step(
        "reserve car",
        to=Cars.participant,
        do=lambda start: ReserveCar(order_id=start.no_such_field),
        needs_no_undo=True,
    )
    saga = Saga("rent-car", version=1, starts_on=RentalRequested, steps=[step])
    with Harness(sagas=[saga], services=[Cars]) as system:
        rental = system.start(RentalRequested(order_id="R-1"))
        system.advance(seconds(1))

        with pytest.raises(
            UnmetExpectation, match=r"R-1: the saga raised AttributeError: .*no_such"
        ):
            system.expect(rental).to_be(COMPLETED)


@pytest.mark.parametrize("kind", get_args(AnyFault), ids=lambda kind: kind.__name__)
def test_every_kind_of_fault_has_a_description(kind) -> None:
    """A new one must not break the report of a failure."""
    assert effect(kind())


def happened(system: Harness, order_id: str, kind: str) -> list[tuple[float, str]]:
    """The lines of a story of one kind: seconds since the saga began, and what happened."""
    parts = system.story(order_id).split("\n\n")
    rows = next(part for part in parts if part.startswith("What happened")).splitlines()[1:]
    found = [row.split(maxsplit=2) for row in rows]
    return [(float(at.rstrip("s")), text) for at, mark, text in found if mark == kind]
