"""Token buckets."""

from order_sagas.bridges.http.server.rate_limit import MANY, RateLimiter
from order_sagas.system.runtime import VirtualClock


def test_a_bucket_is_emptied_and_fills_again():
    """A burst of one second's requests; then at the rate."""
    clock = VirtualClock(0.0)
    buckets = RateLimiter(2, clock.monotonic)
    at_once = [buckets.take("ada") for _ in range(3)]
    clock.advance(0.5)
    later = [buckets.take("ada"), buckets.take("ada")]

    assert [0.0, 0.0, 0.5] == at_once
    assert [0.0, 0.5] == later


def test_each_caller_has_a_bucket():
    """Callers do not affect each other."""
    buckets = RateLimiter(1, lambda: 0.0)

    assert [0.0, 0.0] == [buckets.take("ada"), buckets.take("grace")]
    assert buckets.take("ada") > 0


def test_a_rate_of_0_is_no_limit():
    """For any number of requests."""
    buckets = RateLimiter(0, lambda: 0.0)

    assert {0.0} == {buckets.take("ada") for _ in range(1000)}


def test_idle_callers_are_dropped():
    """So that memory is bounded."""
    now = [0.0]
    buckets = RateLimiter(1, lambda: now[0])
    for number in range(MANY):
        buckets.take(str(number))
    now[0] = 2.0
    buckets.take("ada")

    assert 1 == len(buckets._left)
