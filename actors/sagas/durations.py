"""Durations of a definition. All of them are in seconds."""


def seconds(n: float) -> float:
    """A duration of `n` seconds. All durations in a definition are in seconds."""
    return n


def minutes(n: float) -> float:
    """A duration of `n` minutes, in seconds."""
    return n * 60


def hours(n: float) -> float:
    """A duration of `n` hours, in seconds."""
    return n * 3600


def days(n: float) -> float:
    """A duration of `n` days of 24 hours, in seconds."""
    return n * 86400
