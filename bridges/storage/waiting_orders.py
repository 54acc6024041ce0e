"""Finds submitted orders that are not stored yet, without a scan of all order keys.

They are the rows of `order_keys` with a fingerprint that have no row in `orders` or `pruned`.
Numbers are given at submission, and orders are stored in about that order, so nearly all waiting
orders are among the newest. `meta` has a mark (`stored_up_to`): up to that number, every order is
stored or listed in the table `submitted`. A worker moves the mark; queries read the listed orders
and those above the mark.

Only the role `orders` stores orders: an order waits until that role has handled its record,
whatever other roles did. Rows of `order_keys` without a fingerprint are ids of other records; they
are listed too while goods are held for them.
"""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from order_sagas.actors.entities import Order, Reservation
from order_sagas.bridges.storage.schema import meta, order_keys, pruned, submitted, table_of

if TYPE_CHECKING:
    from order_sagas.bridges.storage.store import Store

CHUNK = 5000
"""Number of orders by which a transaction moves the mark. The mark stays at least as far below the
newest number, since most of the newest orders are not stored yet."""
MARK = "stored_up_to"

_orders = table_of(Order)


def waiting_numbers(limit: int | None, before: int | None = None) -> list[sa.Select[tuple[int]]]:
    """Return two queries for the numbers of the newest waiting orders, each with `limit`.

    Only numbers less than `before`, if given.
    """
    new = sa.select(order_keys.c.no).where(
        order_keys.c.no > _marked(),
        order_keys.c.fingerprint.is_not(None),
        *_neither_stored_nor_pruned(order_keys.c.no),
    )
    taken_in = sa.exists().where(
        order_keys.c.no == submitted.c.no, order_keys.c.fingerprint.is_not(None)
    )
    late = sa.select(submitted.c.no).where(taken_in, *_neither_stored_nor_pruned(submitted.c.no))
    return [
        (query if before is None else query.where(no < before)).order_by(no.desc()).limit(limit)
        for query, no in ((new, order_keys.c.no), (late, submitted.c.no))
    ]


def numbers_without_order(db: sa.Connection) -> list[sa.Select[tuple[int]]]:
    """Return two queries for the numbers that may hold goods, and have no stored order."""
    # As a literal: PostgreSQL's planner would assume an average value for a parameter.
    mark = db.execute(sa.select(_marked())).scalar_one()
    new = sa.select(order_keys.c.no).where(
        order_keys.c.no > mark, *_neither_stored_nor_pruned(order_keys.c.no)
    )
    return [new, sa.select(submitted.c.no)]


def _marked() -> sa.ColumnElement[int]:
    mark = sa.select(sa.cast(meta.c.value, sa.BigInteger)).where(meta.c.name == MARK)
    return sa.func.coalesce(mark.scalar_subquery(), 0)


def _neither_stored_nor_pruned(no: sa.Column[int]) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        ~sa.exists().where(_orders.c.no == no),
        ~sa.exists().where(pruned.c.no == no),
    )


class MarkRound:
    """Moves the mark as far as possible, a chunk at a time."""

    def __init__(self, store: "Store") -> None:
        self._db = db = store.db
        mark = db.placeholder
        unknown = (
            "NOT EXISTS (SELECT 1 FROM orders o WHERE o.no = {0}.no) "
            "AND NOT EXISTS (SELECT 1 FROM pruned p WHERE p.no = {0}.no)"
        )
        self._mark = f"SELECT value FROM meta WHERE name = '{MARK}'"
        # The mark moves by CHUNK if there are twice as many orders above it.
        self._next = (
            "SELECT no FROM (SELECT no FROM order_keys "
            f"WHERE no > {mark} ORDER BY no LIMIT {2 * CHUNK}) AS k ORDER BY no"
        )
        self._list = (
            "INSERT INTO submitted (no) SELECT k.no FROM order_keys k "
            f"WHERE k.no > {mark} AND k.no <= {mark} AND {unknown.format('k')} "
            "AND (k.fingerprint IS NOT NULL OR EXISTS (SELECT 1 FROM reservations r "
            f"WHERE r.no = k.no AND r.status = '{Reservation.HELD}')) ON CONFLICT DO NOTHING"
        )
        self._known = f"SELECT no FROM submitted s WHERE NOT ({unknown.format('s')})"
        self._unlist = f"DELETE FROM submitted WHERE no {db.is_in('bigint')}"
        self._move = (
            f"INSERT INTO meta (name, value) VALUES ('{MARK}', {mark}) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self.done = False

    def step(self) -> None:
        """Move the mark by one chunk, in one transaction; begin none if there is nothing to do."""
        at = next((int(value) for (value,) in self._db.rows(self._mark, ())), 0)
        known = [no for (no,) in self._db.rows(self._known, ())]
        newer = [no for (no,) in self._db.rows(self._next, (at,))]
        self.done = len(newer) < 2 * CHUNK
        if self.done and not known:
            return
        with self._db.transaction() as cursor:
            # No submitter has an open transaction: no number below the mark will be added.
            self._db.alone(cursor)
            if known:
                cursor.execute(self._unlist, (self._db.many(known, int),))
            if not self.done:
                end = newer[CHUNK - 1]
                cursor.execute(self._list, (at, end))
                cursor.execute(self._move, (str(end),))
