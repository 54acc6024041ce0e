"""The gate of a pool: a rate, evenly spaced, and a circuit breaker with one probe at a time."""

from typing import Any

import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.services.call_limits import CallLimits
from order_sagas.bridges.processor.call_gate import CallGate


def test_without_limits_a_call_may_always_begin() -> None:
    gate = CallGate(CallLimits())
    for _ in range(3):
        gate.begin(10.0)
        gate.end(10.0, answered=False)

    assert 0.0 == gate.wait(10.0)


def test_calls_begin_evenly_spaced() -> None:
    """Four per second; idle time does not allow a burst."""
    gate = CallGate(CallLimits(per_second=4))
    gate.begin(10.0)
    first = gate.wait(10.0)
    gate.begin(20.0)

    assert (0.25, 0.25) == (first, gate.wait(20.0))


def test_the_circuit_opens_after_failures_in_a_row() -> None:
    """An answer resets the count."""
    gate = CallGate(CallLimits(failures=2, open_for=30))
    changes = [gate.end(10.0, answered=answered) for answered in (False, True, False, False)]

    assert [False, False, False, True] == changes
    assert (True, 30.0, 1.0) == (gate.is_open, gate.wait(10.0), gate.wait(39.0))


def test_one_probe_at_a_time_checks_the_other_system() -> None:
    gate = CallGate(CallLimits(failures=1, open_for=30))
    gate.end(10.0, answered=False)
    gate.begin(40.0)
    probing = gate.wait(41.0)
    opened_again = gate.end(42.0, answered=False)
    gate.begin(72.0)
    closed = gate.end(73.0, answered=True)

    assert (None, False, True) == (probing, opened_again, closed)
    assert (False, 0.0) == (gate.is_open, gate.wait(73.0))


def test_a_call_begun_before_the_circuit_opened_can_close_it() -> None:
    """Like the answer to a probe."""
    gate = CallGate(CallLimits(failures=1, open_for=30))
    gate.begin(10.0)
    gate.begin(10.0)
    gate.end(11.0, answered=False)

    assert gate.end(12.0, answered=True)
    assert 0.0 == gate.wait(12.0)


@pytest.mark.parametrize("name", ["at_once", "per_second", "timeout", "failures", "open_for"])
def test_a_limit_must_be_positive(name: str) -> None:
    given: dict[str, Any] = {name: 0}
    with pytest.raises(DefinitionError, match=f"CallLimits: {name} must be positive, not 0"):
        CallLimits(**given)
