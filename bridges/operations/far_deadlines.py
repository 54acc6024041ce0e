"""Finds sagas whose deadlines were set by a clock that was ahead, and repairs them."""

from collections.abc import Iterator

import attrs
import sqlalchemy as sa

from order_sagas.actors.messages import RepairDeadlines
from order_sagas.actors.sagas.far_deadlines import SLACK, far_places, longest_of
from order_sagas.actors.sagas.places import WHOLE_SAGA, names_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import decode_plain
from order_sagas.bridges.storage.schema import sagas


@attrs.frozen
class FarDeadline:
    """A saga with deadlines that lie farther ahead than its definition allows."""

    order_id: str
    saga: str
    steps: tuple[str, ...]
    """The steps that wait too long; "" for the deadline of the saga itself."""
    deadline: float
    """The latest of them, in seconds since the Unix epoch."""

    def command(self, by: str) -> RepairDeadlines:
        """Return the command that begins these waits anew."""
        why = "the clock was ahead when they were set"
        return RepairDeadlines(order_id=self.order_id, saga=self.saga, by=by, why=why)


def any_far(db: sa.Connection, now: float) -> bool:
    """Return False if no deadline is far, whatever the definitions allow; cheap."""
    later = sa.select(sagas.c.no).where(sagas.c.ended_at.is_(None), _late(now, now)).limit(1)
    return db.execute(later).first() is not None


def far_deadlines(db: sa.Connection, registry: Registry, now: float) -> list[FarDeadline]:
    """Return the sagas in flight with such deadlines at `now` (epoch seconds), by number.

    Sagas whose version is not registered are left out.
    """
    return list(_far(db, registry, now))


def _late(latest: float, now: float) -> sa.ColumnElement[bool]:
    # A saga that began in the future may have a far deadline of its own besides a near one.
    return sa.or_(sagas.c.deadline > latest + SLACK, sagas.c.started_at > now + SLACK)


def _far(db: sa.Connection, registry: Registry, now: float) -> Iterator[FarDeadline]:
    for saga in registry:
        found = db.execute(
            sa.select(sagas.c.state)
            .where(
                sagas.c.ended_at.is_(None),
                sagas.c.saga == saga.name,
                sagas.c.version == saga.version,
                _late(now + longest_of(saga), now),
            )
            .order_by(sagas.c.no)
        )
        for (raw,) in found:
            progress = decode_plain(raw)
            far = far_places(saga, progress, now)
            if not far:
                continue
            names = names_of(saga, progress)
            places = [i for i in far if i != WHOLE_SAGA]
            last = [progress.steps[i].deadline for i in places]
            last += [progress.due] * (WHOLE_SAGA in far)
            steps = tuple("" if i == WHOLE_SAGA else names[i] for i in far)
            yield FarDeadline(progress.order_id, progress.saga, steps, max(last))
