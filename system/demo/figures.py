"""Outcome figures of a demonstration, computed from its database."""

from collections import Counter

import attrs
import sqlalchemy as sa

from order_sagas.actors.sagas.state import Status, decode_plain
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.schema import sagas


@attrs.define
class Figures:
    """Counts of outcomes, and percentiles of saga durations (seconds from start to end)."""

    completed: int = 0
    cancelled: Counter[str] = attrs.field(factory=Counter)
    """Number of cancelled orders by failure code."""
    events: Counter[str] = attrs.field(factory=Counter)
    """Number of transitions of all sagas, by event name without `saga.`."""
    p50: float = 0.0
    p99: float = 0.0
    retried: str = ""
    """Id of the first completed order with a retried step, or else of a completed order."""
    compensated: str = ""
    """Id of the first cancelled order with the maximum number of compensated steps."""

    def counts(self) -> dict[str, int]:
        """Return the counts that are determined by the seed."""
        return {"completed": self.completed, **dict(sorted(self.cancelled.items()))}


def figures_of(database: str) -> Figures:
    """Compute the figures from all sagas of a database."""
    figures = Figures()
    took: list[float] = []
    most_undone, has_retry = 0, False
    with reading(database) as db:
        for (raw,) in db.execute(sa.select(sagas.c.state).order_by(sagas.c.no)):
            progress = decode_plain(raw)
            events = Counter(entry.event.removeprefix("saga.") for entry in progress.history)
            figures.events.update(events)
            if progress.ended:
                took.append(progress.ended_at - progress.started_at)
            if progress.status == Status.COMPLETED:
                figures.completed += 1
                if not figures.retried or (events["step_retried"] and not has_retry):
                    has_retry = bool(events["step_retried"])
                    figures.retried = progress.order_id
            elif progress.status == Status.CANCELLED:
                figures.cancelled[progress.code] += 1
                if events["step_undone"] > most_undone:
                    most_undone = events["step_undone"]
                    figures.compensated = progress.order_id
    took.sort()
    if took:
        figures.p50 = took[len(took) // 2]
        figures.p99 = took[min(len(took) - 1, len(took) * 99 // 100)]
    return figures
