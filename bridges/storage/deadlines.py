"""Deadlines of sagas in flight: how many have passed unhandled, and when the next one is due."""

from collections.abc import Callable

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.schema import sagas

IsPaused = Callable[[str, str], bool]
"""Finds from the definition and the step of a saga whether it waits for a paused service."""


@attrs.frozen
class Deadlines:
    """Figures of one moment. Times are in seconds."""

    due: int
    """Sagas whose deadline has passed and is not handled yet."""
    late: float
    """Seconds since the earliest of those deadlines; 0 if there is none."""
    next_in: float | None
    """Seconds until the next deadline; None if there is none."""
    put_off: int = 0
    """Sagas that wait for a paused service, and whose deadline has passed: it is put off."""


def deadlines(db: sa.Connection, now: float, is_paused: IsPaused | None = None) -> Deadlines:
    """Return the figures of all sagas in flight at `now` (epoch seconds).

    Without `is_paused`, no service is paused. Sagas for which it is true count as `put_off` only.
    """
    waiting = sagas.c.ended_at.is_(None)
    first = sa.func.min(sagas.c.deadline)
    if is_paused is None:
        due, oldest = db.execute(
            sa.select(sa.func.count(), first).where(waiting, sagas.c.deadline <= now)
        ).one()
        coming = db.execute(sa.select(first).where(waiting, sagas.c.deadline > now)).scalar()
        late = now - oldest if due else 0.0
        return Deadlines(int(due), late, None if coming is None else coming - now)
    late_ones = sagas.c.deadline <= now
    by = (sagas.c.saga, sagas.c.step, late_ones)
    query = sa.select(*by, sa.func.count(), first).where(waiting, sagas.c.deadline.is_not(None))
    due, put_off, oldest, coming = 0, 0, None, None
    for saga, step, is_late, count, earliest in db.execute(query.group_by(*by)):
        if is_paused(saga, step):
            put_off += count if is_late else 0
        elif is_late:
            due += count
            oldest = earliest if oldest is None else min(oldest, earliest)
        else:
            coming = earliest if coming is None else min(coming, earliest)
    late = 0.0 if oldest is None else now - oldest
    return Deadlines(due, late, None if coming is None else coming - now, put_off)
