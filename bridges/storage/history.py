"""Figures of the last hours: a row for each worker and ten seconds, and for each worker and minute.

Rows older than their resolution is kept for are deleted with each write, so the table is bounded.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.bridges.durations import total_of
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.schema import history

FINE, COARSE = 10, 60
"""Seconds of a row, at each of the two resolutions."""
KEPT = {FINE: 3600, COARSE: 86_400}
"""Seconds for which rows are kept, by resolution."""

_COUNTERS = ("started", "ended", "cancelled", "records", "dead_letters")
_GAUGES = ("in_flight", "shards", "needs_attention", "overdue", "waiting")
_NUMBERS = ("at", "source", *_COUNTERS, *_GAUGES)
_COLUMNS = ("resolution", "at", "source", *_COUNTERS, "durations", *_GAUGES)
_counts = msgspec.json.Decoder(list[int]).decode


@attrs.frozen(kw_only=True)
class Figures:
    """Counts of one worker in an interval, and gauges of the system at its end.

    Gauges are read by one worker for all, and are None in the rows of the others.
    """

    at: int
    """Beginning of the interval, in seconds since the Unix epoch."""
    source: str
    started: int = 0
    """Sagas."""
    ended: int = 0
    cancelled: int = 0
    """Of `ended`."""
    records: int = 0
    dead_letters: int = 0
    durations: Sequence[int] = ()
    """Number of sagas that ended, by the bucket of their duration (`bridges.durations`)."""
    in_flight: int = 0
    shards: int = 0
    needs_attention: int | None = None
    overdue: int | None = None
    waiting: int | None = None
    """Records that are not handled yet."""


class HistoryTable:
    """The table, on a connection of its own, so that no batch waits for it.

    Methods raise StoreError.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        mark = db.placeholder
        self._insert = (
            f"INSERT INTO history ({', '.join(_COLUMNS)}) "
            f"VALUES ({', '.join([mark] * len(_COLUMNS))})"
        )
        key = f"resolution = {mark} AND at = {mark} AND source = {mark}"
        self._select = f"SELECT {', '.join((*_COUNTERS, 'durations'))} FROM history WHERE {key}"
        self._drop = f"DELETE FROM history WHERE {key}"
        self._expire = f"DELETE FROM history WHERE resolution = {mark} AND at < {mark}"

    def add(self, figures: Figures) -> None:
        """Store the figures of ten seconds, and add them to those of their minute."""
        with self._db.transaction() as cursor:
            for resolution in (FINE, COARSE):
                self._add(cursor, resolution, figures)
                oldest = figures.at - KEPT[resolution]
                cursor.execute(self._expire, (resolution, oldest))

    def _add(self, cursor: Any, resolution: int, figures: Figures) -> None:
        at = figures.at - figures.at % resolution
        counters = [getattr(figures, name) for name in _COUNTERS]
        durations = list(figures.durations)
        key = (resolution, at, figures.source)
        reader = self._db.beside(cursor)
        reader.execute(self._select, key)
        for *before, text in reader.fetchall():
            counters = [a + b for a, b in zip(counters, before, strict=True)]
            known = _counts(text)
            durations = total_of([each for each in (durations, known) if each])
        cursor.execute(self._drop, key)
        gauges = [getattr(figures, name) for name in _GAUGES]
        packed = msgspec.json.encode(durations).decode()
        cursor.execute(self._insert, (*key, *counters, packed, *gauges))


def read_history(db: sa.Connection, resolution: int, since: float) -> list[Figures]:
    """Return the rows of a resolution that begin at `since` or later, the oldest first."""
    query = (
        sa.select(*(history.c[name] for name in _NUMBERS), history.c.durations)
        .where(history.c.resolution == resolution, history.c.at >= int(since))
        .order_by(history.c.at, history.c.source)
    )
    return [
        Figures(**dict(zip(_NUMBERS, numbers, strict=True)), durations=_counts(durations))
        for *numbers, durations in db.execute(query)
    ]


@attrs.frozen(kw_only=True)
class Moment:
    """The figures of all workers in one interval. Gauges that were not read are None."""

    at: int
    started: int
    ended: int
    cancelled: int
    records: int
    dead_letters: int
    durations: Sequence[int]
    in_flight: int
    workers: int
    shards: int
    needs_attention: int | None
    overdue: int | None
    waiting: int | None


def by_moment(rows: Iterable[Figures]) -> list[Moment]:
    """Return the rows of all workers, put together by their intervals."""
    found: dict[int, list[Figures]] = {}
    for row in rows:
        found.setdefault(row.at, []).append(row)
    return [_together(at, several) for at, several in found.items()]


def _together(at: int, rows: Sequence[Figures]) -> Moment:
    def known(name: str) -> int | None:
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        return max(values) if values else None

    totals = {
        name: sum(getattr(row, name) for row in rows)
        for name in (*_COUNTERS, "in_flight", "shards")
    }
    return Moment(
        at=at,
        durations=total_of([row.durations for row in rows if row.durations]),
        workers=len(rows),
        needs_attention=known("needs_attention"),
        overdue=known("overdue"),
        waiting=known("waiting"),
        **totals,
    )
