"""Compares the clock of this machine with the one of the database server."""

import time
from collections.abc import Callable

import structlog

from order_sagas.bridges.storage.connection import Connection

log = structlog.get_logger(__name__)

TOLERATED = 2.0
"""Seconds by which clocks may differ without a warning. Deadlines are some seconds at least, and a
worker that takes over a saga judges a deadline that another worker has set."""


def clock_difference(db: Connection, now: Callable[[], float] = time.time) -> float:
    """Return by how many seconds the server's clock is ahead of this machine's.

    Negative if it is behind, and 0.0 if it differs by no more than the query took, or if the
    database is SQLite, which has this machine's clock. Raises StoreError.
    """
    if db.dialect != "postgresql":
        return 0.0
    before = now()
    ((there,),) = db.rows("SELECT extract(epoch FROM clock_timestamp())::float8", ())
    after = now()
    difference = float(there) - (before + after) / 2
    return 0.0 if abs(difference) <= (after - before) / 2 else difference


def warn_of_clock(db: Connection, now: Callable[[], float] = time.time) -> None:
    """Log a warning with the difference if the clocks differ by more than TOLERATED seconds."""
    difference = clock_difference(db, now)
    if abs(difference) > TOLERATED:
        than = "ahead" if difference > 0 else "behind"
        log.warning("clock.differs", database=than, seconds=round(abs(difference), 1))
