"""Rates are those of the last seconds."""

from order_sagas.bridges.processor.rates import INTERVAL, Rates


def test_a_rate_is_what_was_counted_over_the_last_interval() -> None:
    """Ten a second at first, then none."""
    rates = Rates(0.0, 0, 0)
    for second in range(1, 11):
        rates.note(float(second), 10 * second, second)

    assert (10.0, 1.0) == rates.at(10.0, 100, 10)
    rates.note(10.0 + INTERVAL, 100, 10)
    assert (0.0, 0.0) == rates.at(10.0 + 2 * INTERVAL, 100, 10)


def test_before_any_time_has_passed_there_is_no_rate() -> None:
    """Instead of a division by zero."""
    assert (0.0,) == Rates(7.0, 3).at(7.0, 3)
