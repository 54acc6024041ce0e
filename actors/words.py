"""Counts in running text."""


def many(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 saga`, `2,000 sagas`; `plural` if it is not noun + s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
