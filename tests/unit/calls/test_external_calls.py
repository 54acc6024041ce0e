"""Tracking and limits of external calls, and the log of failed ones."""

from collections.abc import Callable
from typing import Any

import pytest

from order_sagas.actors.messages import CALLBACK, DECLINED, EXCEPTION, CallOutcome
from order_sagas.bridges.processor.call_results import CallDone, perform
from order_sagas.bridges.processor.call_runners import ImmediateCalls
from order_sagas.bridges.processor.external_calls import ExternalCalls
from tests.support.calls import HeldCalls, Results, a_call
from tests.unit.calls.conftest import Events


class Desk:
    """External calls with a runner that holds them."""

    def __init__(self, capacity: int = 1000) -> None:
        self.runner = HeldCalls()
        self.results = Results()
        self.failures: list[CallDone] = []
        self.calls = ExternalCalls(self.runner, self.results, self.failures.append, capacity)

    def let_go(self, count: int | None = None) -> list[CallDone]:
        """Make calls, and record their results."""
        before = len(self.results.results)
        self.runner.let_go(count)
        done = self.results.results[before:]
        for each in done:
            self.calls.finished(each)
        return done

    @property
    def begun(self) -> list[str]:
        """The keys of all calls that were begun."""
        return [call.key for call in self.runner.begun]


def test_a_call_under_way_is_not_made_again() -> None:
    """From the commit that requests it until the commit of its outcome."""
    desk = Desk()
    desk.calls.issue([a_call("o-1"), a_call("o-1")])
    desk.calls.issue([a_call("o-1")])
    (done,) = desk.let_go()
    desk.calls.issue([a_call("o-1")])

    assert ["o-1"] == desk.begun
    assert desk.calls.is_under_way("payments", "o-1")

    desk.calls.settled([done.id])
    desk.calls.issue([a_call("o-1")])

    assert ["o-1", "o-1"] == desk.begun


def test_calls_are_distinguished_by_service_operation_and_key() -> None:
    """The order `A-refund` may be charged while the charge of `A` is refunded."""
    desk = Desk()
    desk.calls.issue(
        [
            a_call("A"),
            a_call("A", service="notifications", operation="send"),
            a_call("A-refund", operation="refund"),
            a_call("A-refund"),
        ]
    )

    assert ["A", "A", "A-refund", "A-refund"] == desk.begun
    assert {"payments": 3, "notifications": 1} == desk.calls.counts()


def test_a_call_above_the_capacity_is_refused_with_its_service() -> None:
    """It stays stored in the database; each service has its own capacity."""
    desk = Desk(capacity=2)
    desk.calls.issue([a_call(f"o-{n}") for n in range(5)])
    desk.calls.issue([a_call("o-1", service="notifications")])

    assert ["o-0", "o-1", "o-1"] == desk.begun
    assert (0, 1) == (desk.calls.room("payments"), desk.calls.room("notifications"))
    assert desk.calls.refused
    assert {"payments"} == desk.calls.take_refused()
    assert not desk.calls.refused


def test_capacity_is_free_once_the_outcome_is_committed() -> None:
    """Not when the call has ended: otherwise outcomes would accumulate in an outage of the
    database."""
    desk = Desk(capacity=1)
    desk.calls.issue([a_call("o-1")])
    (done,) = desk.let_go()

    assert (0, 0) == (desk.calls.room("payments"), desk.calls.running)

    desk.calls.settled([done.id])

    assert 1 == desk.calls.room("payments")
    assert {} == desk.calls.counts()


def test_an_outcome_that_waits_for_its_shard_takes_no_capacity_and_is_still_under_way() -> None:
    desk = Desk(capacity=1)
    desk.calls.issue([a_call("o-1")])
    (done,) = desk.let_go()
    desk.calls.set_aside(done.id)
    desk.calls.set_aside(done.id)
    desk.calls.issue([a_call("o-1"), a_call("o-2")])

    assert ["o-1", "o-2"] == desk.begun

    desk.calls.settled([done.id])

    assert 0 == desk.calls.room("payments")
    assert not desk.calls.is_under_way("payments", "o-1")


def test_a_stop_begins_no_more_calls() -> None:
    desk = Desk()
    desk.calls.issue([a_call("o-1")])
    desk.calls.stop()
    desk.calls.issue([a_call("o-2")])

    assert (["o-1"], 1) == (desk.begun, desk.calls.running)

    desk.let_go()

    assert 0 == desk.calls.running


def test_a_result_after_the_close_is_dropped() -> None:
    """The actors have ended; the pending call is in the database."""
    desk = Desk()
    desk.calls.issue([a_call("o-1")])
    desk.calls.close()
    desk.runner.let_go()

    assert [] == desk.results.results


class NoThread(ImmediateCalls):
    """A runner that cannot start threads."""

    def run(self, call: Any, done: Any) -> None:
        raise RuntimeError("can't start new thread")


def test_a_call_that_cannot_start_is_refused_and_logged(logged: Events) -> None:
    calls = ExternalCalls(NoThread(), Results())
    calls.issue([a_call("o-1")])

    assert {"payments"} == calls.take_refused()
    assert not calls.is_under_way("payments", "o-1")
    (line,) = logged()
    assert ("external_call.not_begun", "o-1") == (line["event"], line["order_id"])


def broken() -> None:
    """Raise like a client with a bug."""
    raise AttributeError("'NoneType' object has no attribute 'charge'")


def test_an_exception_is_logged_with_its_order_key_cause_and_traceback(logged: Events) -> None:
    desk = Desk()
    desk.calls.issue([a_call("o-1", broken)])
    desk.let_go()

    (line,) = logged()
    expected = {
        "event": "external_call.failed",
        "service": "payments",
        "operation": "charge",
        "order_id": "o-1",
        "key": "o-1",
        "reason": EXCEPTION,
        "error": "AttributeError: 'NoneType' object has no attribute 'charge'",
    }
    assert expected == {name: line[name] for name in expected}
    assert "in broken" in line["details"]
    assert [EXCEPTION] == [done.failure for done in desk.failures]


def declined(result: object, error: BaseException | None) -> CallOutcome:
    """Make the message for a declined refund."""
    return CallOutcome(order_id="o-1", failure=DECLINED, error="frozen: the account is frozen")


def test_a_declined_call_is_logged_without_a_traceback(logged: Events) -> None:
    desk = Desk()
    desk.calls.issue([a_call("o-1", then=declined)])
    (done,) = desk.let_go()

    (line,) = logged()
    assert (DECLINED, "frozen: the account is frozen") == (line["reason"], line["error"])
    assert "details" not in line
    assert DECLINED == done.failure


def raises_on_results(result: object, error: BaseException | None) -> CallOutcome:
    """A callback that handles only exceptions."""
    if error is None:
        raise TypeError("a strange answer")
    return CallOutcome(order_id="o-1", failure=EXCEPTION, error=str(error))


def raises_always(result: object, error: BaseException | None) -> CallOutcome:
    """A callback that always raises."""
    raise TypeError("strange")


def test_a_callback_that_raises_makes_the_outcome_unknown() -> None:
    """The service gets an unknown outcome, and the error is logged."""
    done = perform(a_call("o-1", then=raises_on_results))

    assert (CALLBACK, "TypeError: a strange answer") == (done.failure, done.error)
    assert isinstance(done.message, CallOutcome)
    assert "a strange answer" == done.message.error
    assert "raises_on_results" in done.details


@pytest.mark.parametrize("make", [lambda: None, broken])
def test_a_call_whose_callback_always_raises_can_be_made_again(
    make: Callable[[], None], logged: Events
) -> None:
    """It has no outcome that would settle it, so it must not stay under way."""
    desk = Desk()
    desk.calls.issue([a_call("o-1", make, then=raises_always)])
    (done,) = desk.let_go()

    assert (None, CALLBACK) == (done.message, done.failure)
    assert [CALLBACK] == [line["reason"] for line in logged()]
    assert not desk.calls.is_under_way("payments", "o-1")
