"""By how much deadlines are put off, with overlapping, lasting, repeated and many outages."""

from hypothesis import given
from hypothesis import strategies as st

from order_sagas.actors.sagas.outages import Outages, Spans

MOMENTS = st.integers(0, 60)
STRETCHES = st.lists(st.tuples(MOMENTS, MOMENTS), max_size=12)


def seconds_of(stretches, since: int, until: int) -> int:
    """Counted second by second."""
    return len(
        {second for begun, ended in stretches for second in range(begun, ended)}
        & {*range(since, until)}
    )


@given(STRETCHES, MOMENTS, MOMENTS)
def test_overlapping_outages_count_once(stretches, since, until) -> None:
    """In any order, and any number of times."""
    spans = Spans()
    for begun, ended in [*stretches, *stretches]:
        spans.add(begun, ended)

    assert seconds_of(stretches, since, until) == spans.covered(since, until)


@given(STRETCHES, MOMENTS, st.integers(1, 4))
def test_of_very_many_outages_none_is_dropped(stretches, since, most) -> None:
    """Close ones are joined: the total never shrinks, and the number is bounded."""
    spans = Spans(most)
    for begun, ended in stretches:
        spans.add(begun, ended)

    assert len(spans) <= most
    assert seconds_of(stretches, since, 60) <= spans.covered(since, 60)


def test_the_oldest_of_many_short_outages_still_counts() -> None:
    """A saga that has waited through all of them is put off by all of them."""
    outages = Outages(grace=1e9)
    for number in range(500):
        outages.begin("kafka", 100.0 * number)
        outages.end("kafka", 100.0 * number + 1)

    assert 500.0 == outages.length(0.0, 1e6)


def test_two_lasting_outages_count_once_up_to_the_grace() -> None:
    """From the beginning of the first."""
    outages = Outages(grace=60.0)
    outages.begin("kafka", 10.0)
    outages.begin("database", 20.0)
    outages.end("kafka", 30.0)

    assert (0.0, 25.0, 15.0) == (
        outages.length(0.0, 10.0), outages.length(0.0, 35.0), outages.length(20.0, 35.0),
    )  # fmt: skip
    assert 60.0 == outages.length(0.0, 500.0)


def test_a_lasting_pause_counts_completely() -> None:
    """With earlier pauses, for its service alone."""
    outages = Outages(grace=1.0)
    for number in range(100):
        outages.paused("stock", 10.0 * number, 10.0 * number + 5)
    outages.pause("stock", 2000.0)

    assert 500.0 + 100.0 == outages.paused_for("stock", 0.0, 2100.0)
    assert 0.0 == outages.paused_for("payments", 0.0, 2100.0)
