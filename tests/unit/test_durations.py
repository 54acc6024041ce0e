"""Durations are counted in buckets, and quantiles are read off them."""

import random

import pytest

from order_sagas.bridges.durations import BOUNDS, BUCKETS, bucket_of, quantile, total_of


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_exact_to_the_width_of_a_bucket(share):
    """Of durations that are spread over several powers of ten."""
    rng = random.Random(7)
    durations = sorted(rng.lognormvariate(-2, 1.5) for _ in range(5000))
    counts = [0] * BUCKETS
    for each in durations:
        counts[bucket_of(each)] += 1
    exact = durations[int(share * len(durations))]

    assert exact / 1.8 <= (quantile(counts, share) or 0) <= exact * 1.8


def test_the_first_and_the_last_bucket_are_open():
    """What is longer than all bounds counts, and so does what took no time."""
    assert (0, BUCKETS - 1) == (bucket_of(0.0), bucket_of(1e9))
    longest = [0] * BUCKETS
    longest[-1] = 3
    assert BOUNDS[-1] == quantile(longest, 0.5)


def test_without_durations_there_is_no_quantile():
    """No data is not zero."""
    assert quantile([0] * BUCKETS, 0.5) is None
    assert quantile(total_of([]), 0.5) is None


def test_counts_of_several_workers_are_added():
    """Bucket by bucket."""
    assert [4, 6] == total_of([[1, 2], [3, 4]])
