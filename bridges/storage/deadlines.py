"""Deadlines of sagas in flight: which are to come, and which have passed and wait to be seen to."""

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.schema import sagas


@attrs.frozen
class Deadlines:
    """What the database tells at one moment. Times are seconds."""

    due: int
    """Sagas whose deadline has passed, and that nobody has seen to yet."""
    late: float
    """How long the oldest of them has been due."""
    next_in: float | None
    """Until the next deadline; None if there is none."""


def deadlines(db: sa.Connection, now: float) -> Deadlines:
    """Of all sagas in flight, at `now` (epoch seconds)."""
    waiting = sagas.c.ended_at.is_(None)
    first = sa.func.min(sagas.c.deadline)
    due, oldest = db.execute(
        sa.select(sa.func.count(), first).where(waiting, sagas.c.deadline <= now)
    ).one()
    coming = db.execute(sa.select(first).where(waiting, sagas.c.deadline > now)).scalar()
    late = now - oldest if due else 0.0
    return Deadlines(int(due), late, None if coming is None else coming - now)
