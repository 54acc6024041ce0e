"""Deadlines that were set while the clock was years ahead: they are found and repaired."""

import time

import attrs
import pytest

from order_sagas.actors.sagas.definition import hours
from tests.support.embedded import EmbeddedSystem, an_order

TEN_YEARS = 10 * 365 * 24 * 3600.0


@pytest.fixture
def ahead(tmp_path, system, monkeypatch):
    """A system in which a saga began ten years ahead, and whose clock is right again."""
    with EmbeddedSystem(tmp_path, settings={"payment_silent_rate": 1.0}) as died:
        here = died.parts.clock.now()
        died.advance(TEN_YEARS)
        died.put(an_order("far"))
    monkeypatch.setattr(time, "time", lambda: here)
    system.parts = attrs.evolve(system.parts, settings=died.parts.settings)
    return system


def test_status_and_audit_name_them(ahead, run, run_json) -> None:
    """With the command that repairs them."""
    status = run("status").stdout
    audit = run("audit")

    assert 1 == run_json("status")["farDeadlines"]
    assert "too far ahead for 1 saga; see `deadlines repair`" in status
    assert 1 == audit.exit_code
    assert "VIOLATION deadline in reach: far: it waits until" in audit.stdout


def test_a_dry_run_lists_them_and_sends_nothing(ahead, run) -> None:
    """The step and the deadline are shown."""
    said = run("deadlines", "repair", "--dry-run").stdout

    assert "1 saga with deadlines that lie too far ahead." in said
    assert "process payment" in said
    assert [] == list(ahead.log.db.rows("SELECT 1 FROM log WHERE topic = 'operator-commands'", ()))


def test_one_command_lets_the_sagas_time_out_as_they_would_have(ahead, run, run_json) -> None:
    """It may be repeated."""
    assert "Sent to 1 saga." in run("deadlines", "repair", "--yes").stdout
    ahead.start()
    ahead.advance(hours(1))
    again = run("deadlines", "repair", "--yes").stdout

    assert "No deadline lies too far ahead." in again
    assert 0 == run_json("status")["farDeadlines"]
    assert "CANCELLED" == ahead.status("far")


def test_regular_deadlines_are_not_changed(system, run, tmp_path, monkeypatch) -> None:
    """A saga that waits for its payment has one."""
    with EmbeddedSystem(tmp_path, settings={"payment_silent_rate": 1.0}) as died:
        died.put(an_order("near"))
        monkeypatch.setattr(time, "time", died.parts.clock.now)

    assert "No deadline lies too far ahead." in run("deadlines", "repair").stdout
    assert "deadline in reach" in run("audit").stdout
