"""Warns of clocks that differ: deadlines are set by one machine and checked by another."""

import structlog

log = structlog.get_logger("clocks")

TOLERATED = 2.0
"""Seconds by which clocks may differ without a warning. Deadlines are some seconds at least, and a
worker that takes over a saga checks a deadline that another worker has set."""


def warn_of_difference(whose: str, seconds: float, **about: str) -> bool:
    """Log a warning if a clock is ahead of this machine's by more than TOLERATED seconds.

    Or behind, if `seconds` is negative. `whose` is the name of the field that says which. Returns
    whether there was a warning.
    """
    if abs(seconds) <= TOLERATED:
        return False
    than = "ahead" if seconds > 0 else "behind"
    log.warning("clock.differs", **{whose: than}, **about, seconds=round(abs(seconds), 1))
    return True
