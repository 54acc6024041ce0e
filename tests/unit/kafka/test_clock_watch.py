"""Which differences of clocks are warned of."""

from typing import Any

import pytest

from order_sagas.bridges.kafka.clock_watch import ClockWatch
from tests.support.logged import captured_logs

NOW = 1_700_000_000.0
KEYS = ("timestamp", "level", "event")
"""Keys of every log line."""


def warnings(*acts: Any) -> list[dict[str, Any]]:
    """What is said of it."""
    watch = ClockWatch(lambda: NOW)
    with captured_logs() as lines:
        for act in acts:
            act(watch)
    return [{key: line[key] for key in line if key not in KEYS} for line in lines]


@pytest.mark.parametrize("written", [NOW - 86_400, NOW, NOW + 1.9])
def test_records_of_the_past_and_of_now_tell_nothing(written: float) -> None:
    """Old ones have waited."""
    assert [] == warnings(lambda watch: watch.read("t", written))


def test_records_of_the_future_were_written_by_a_clock_that_is_ahead() -> None:
    """The warning comes once."""
    found = warnings(*[lambda watch: watch.read("t", NOW + 60)] * 2)

    assert [{"records": "ahead", "topic": "t", "seconds": 60.0}] == found


@pytest.mark.parametrize(
    ("appended", "found"),
    [
        (NOW - 5.0, []),
        (NOW - 10.5, []),
        (NOW + 1.5, []),
        (NOW + 60.0, [{"broker": "ahead", "topic": "t", "seconds": 60.0}]),
        (NOW - 70.0, [{"broker": "behind", "topic": "t", "seconds": 60.0}]),
    ],
)
def test_a_broker_appends_between_sending_and_its_answer(
    appended: float, found: list[dict[str, Any]]
) -> None:
    """However long that takes: ten seconds here."""
    assert found == warnings(lambda watch: watch.acknowledged("t", NOW - 10.0, appended))
