"""Counts of durations, in buckets that grow by a constant factor, and their quantiles."""

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS: tuple[float, ...] = tuple(10 ** (exponent / 4) for exponent in range(-20, 25))
"""Upper bounds of the buckets in seconds, four for each power of ten, from 10 µs to 11 days."""
BUCKETS = len(BOUNDS) + 1
"""Number of buckets. The last one is for all that is longer."""


def bucket_of(seconds: float) -> int:
    """Return the index of the bucket of a duration."""
    return bisect_left(BOUNDS, seconds)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the duration in seconds that this share of all does not exceed; None without any.

    Within its bucket it is interpolated, so it is exact to the factor between two bounds, 1.8.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0
    for bucket, count in enumerate(counts):
        if count and seen + count >= wanted:
            low = BOUNDS[bucket - 1] if bucket else 0.0
            high = BOUNDS[bucket] if bucket < len(BOUNDS) else BOUNDS[-1]
            return low + (high - low) * (wanted - seen) / count
        seen += count
    return BOUNDS[-1]


def total_of(several: Sequence[Sequence[int]]) -> list[int]:
    """Return the sums of counts, bucket by bucket."""
    return [sum(each) for each in zip(*several, strict=True)] if several else [0] * BUCKETS
