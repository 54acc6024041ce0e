"""Compares the clock of this machine with the one of the database server."""

import time
from collections.abc import Callable

from order_sagas.bridges.clock_differences import warn_of_difference
from order_sagas.bridges.storage.connection import Connection


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
    warn_of_difference("database", clock_difference(db, now))
