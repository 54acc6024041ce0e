"""An outage or a pause that is over puts off one deadline, and not the later ones."""

import pytest

from order_sagas import hours
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.trip_services import FrontDesk
from tests.support.trips import APPROVAL, TICKET, TripWanted, a_trip

SILENT_ONCE = {"payment_silent_rate": 1.0, "payment_silent_attempts": 1}
WITHIN = 30.0
"""Seconds in which a payment has to be answered."""


def had_an_outage(system: EmbeddedSystem, what: str, length: float) -> None:
    """Make the log unavailable, or pause the payment service, for a number of seconds."""
    outages, now = system.outages, system.clock.now
    (outages.pause if what == "payments" else outages.begin)(what, now())
    system.advance(length)
    (outages.unpause if what == "payments" else outages.end)(what, now())


@pytest.mark.parametrize("what", ["kafka", "payments"])
def test_the_backoff_after_a_postponed_deadline_is_not_postponed(tmp_path, what) -> None:
    """The wait before the next attempt does not include the outage."""
    with EmbeddedSystem(tmp_path, settings=SILENT_ONCE) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))
        had_an_outage(system, what, 600)
        system.advance(WITHIN)
        system.advance(WITHIN)

        assert "step_timed_out process payment" in system.history("o-1")
        assert "COMPLETED" == system.status("o-1")


def test_a_command_is_not_repeated_during_an_outage_of_the_log(tmp_path) -> None:
    """The outage begins between the deadline and the next attempt."""
    with EmbeddedSystem(tmp_path, settings=SILENT_ONCE) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))
        system.advance(WITHIN)
        system.outages.begin("kafka", system.clock.now())
        system.advance(600)
        during = system.history("o-1")
        system.outages.end("kafka", system.clock.now())
        system.advance(5)

        assert "step_timed_out process payment" == during[-1]
        assert "COMPLETED" == system.status("o-1")


def test_an_outage_between_two_reminders_puts_off_one_of_them(tmp_path) -> None:
    """The other reminders keep their intervals, and the wait ends later by the outage once."""
    saga = a_trip(APPROVAL, TICKET)
    with EmbeddedSystem(tmp_path, sagas=[saga], services=[FrontDesk]) as system:
        system.put(TripWanted(order_id="T-1"))
        began = system.clock.now()
        system.advance(hours(1))
        had_an_outage(system, "kafka", hours(0.5))
        for _ in range(160):
            system.advance(hours(0.5))
        state = system.saga("T-1", saga.name)
        assert state
        reminded = [each.at for each in state.history if each.event == "saga.reminded"]
        ended = [each.at for each in state.history if each.event == "saga.step_timed_out"]

        assert [hours(24.5), hours(48.5)] == [at - began for at in reminded]
        assert [hours(72.5)] == [at - began for at in ended]
