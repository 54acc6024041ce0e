"""Deadlines of sagas in flight: how many have passed unhandled, and when the next one is due."""

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.schema import sagas


@attrs.frozen
class Deadlines:
    """Figures of one moment. Times are in seconds."""

    due: int
    """Sagas whose deadline has passed and is not handled yet."""
    late: float
    """Seconds since the earliest of those deadlines; 0 if there is none."""
    next_in: float | None
    """Seconds until the next deadline; None if there is none."""


def deadlines(db: sa.Connection, now: float) -> Deadlines:
    """Return the figures of all sagas in flight at `now` (epoch seconds)."""
    waiting = sagas.c.ended_at.is_(None)
    first = sa.func.min(sagas.c.deadline)
    due, oldest = db.execute(
        sa.select(sa.func.count(), first).where(waiting, sagas.c.deadline <= now)
    ).one()
    coming = db.execute(sa.select(first).where(waiting, sagas.c.deadline > now)).scalar()
    late = now - oldest if due else 0.0
    return Deadlines(int(due), late, None if coming is None else coming - now)
