"""Stored outages, from which a started worker computes by how much deadlines are postponed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from order_sagas.bridges.storage.schema import metadata

if TYPE_CHECKING:
    from order_sagas.bridges.storage.connection import Connection

outages = sa.Table(
    "outages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("since", sa.Float(53), nullable=False),
    sa.Column("until", sa.Float(53)),
)
"""Outages of Kafka or the database, as seen by a worker; `until` is NULL until the end is noted."""


class Outage(NamedTuple):
    """An outage of `what`: "kafka" or "database". Times are epoch seconds."""

    id: str
    what: str
    since: float
    until: float | None = None


class OutageTable:
    """The table of outages, on the connection of a store."""

    def __init__(self, db: "Connection") -> None:
        self._db = db
        mark = db.placeholder
        values = f"INSERT INTO outages (id, what, since, until) VALUES ({', '.join([mark] * 4)}) "
        self._note = values + "ON CONFLICT (id) DO UPDATE SET until = excluded.until"
        self._add = values + "ON CONFLICT (id) DO NOTHING"
        self._end = f"UPDATE outages SET until = {mark} WHERE until IS NULL"
        self._forget = f"DELETE FROM outages WHERE until < {mark}"

    def note(self, outage: Outage) -> None:
        """Store an outage, or its end."""
        with self._db.transaction() as cursor:
            cursor.execute(self._note, outage)

    def recall(self, others: Iterable[Outage], now: float) -> list[Outage]:
        """Add `others`, which were noted elsewhere; return all outages that affect deadlines.

        Call it when database and Kafka are available: outages without an end then end at `now`.
        Outages that ended before the oldest saga in flight began are deleted. Nothing is written if
        there is nothing to change.
        """
        others = list(others)
        known = self._all()
        if not (known or others):
            return []
        oldest = self.oldest()
        old = [each for each in known if each.until is not None and each.until < oldest]
        if others or old or any(each.until is None for each in known):
            with self._db.transaction() as cursor:
                for other in others:
                    cursor.execute(self._add, other)
                cursor.execute(self._end, (now,))
                if old:
                    cursor.execute(self._forget, (oldest,))
            known = self._all()
        return known

    def oldest(self) -> float:
        """Return when the oldest saga in flight began (epoch seconds); infinity if none is."""
        query = "SELECT min(started_at) FROM sagas WHERE ended_at IS NULL"
        ((oldest,),) = self._db.rows(query, ())
        return float("inf") if oldest is None else float(oldest)

    def _all(self) -> list[Outage]:
        query = "SELECT id, what, since, until FROM outages"
        return [Outage(*row) for row in self._db.rows(query, ())]
