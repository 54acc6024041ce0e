"""The numbers that the tables have instead of order ids, as cached by one worker.

A worker remembers the highest number in each table since its last claim of shards: an order with a
higher number is new, so its rows need not be read. Other workers stored orders of its shards only
before it claimed these.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.rows import Row

MOST_KNOWN = 200_000
"""Maximum number of order ids that are cached with their numbers."""
_PRUNED = "pruned"
"""The table of pruned orders. For it, the highest number is the maximum over all tables, because
any order may be pruned."""


class OrderNumbers:
    """Numbers of orders by order id, on the connection of a store; `tables` have numbered rows."""

    def __init__(self, db: Connection, tables: Iterable[str]) -> None:
        self._db = db
        self._tables = tuple(tables)
        self._known: dict[str, int] = {}
        self._highest: dict[str, int] = {}
        """The highest number in each table, at the last claim or in a commit since then."""
        mark = db.placeholder
        self._select = f"SELECT order_id, no FROM order_keys WHERE order_id {db.is_in('text')}"
        self._insert = (
            f"INSERT INTO order_keys (order_id, shard) VALUES ({mark}, {mark}) "
            "ON CONFLICT (order_id) DO NOTHING"
        )
        self._pruned = f"SELECT no FROM pruned WHERE no {db.is_in('bigint')}"

    def of(self, order_ids: Iterable[str]) -> dict[str, int]:
        """Return the numbers of these order ids, without those that have none yet."""
        known = self._known
        wanted = dict.fromkeys(order_ids)
        missing = [order_id for order_id in wanted if order_id not in known]
        if missing:
            if len(known) > MOST_KNOWN:
                known.clear()
                missing = list(wanted)
            known.update(self._db.rows(self._select, (self._db.many(missing, str),)))
        return {order_id: known[order_id] for order_id in wanted if order_id in known}

    def perhaps_stored(self, table: str, numbers: Sequence[int]) -> Sequence[int]:
        """Return the numbers that may be in a table: all except those of new orders."""
        highest = self._highest.get(table)
        return numbers if highest is None else [n for n in numbers if n <= highest]

    def may_be_pruned(self, order_id: str) -> bool:
        """Whether an order, whose id was passed to `of`, may be pruned: a new one is not."""
        no = self._known.get(order_id)
        return no is not None and no <= self._highest.get(_PRUNED, no)

    def pruned(self, order_ids: Iterable[str]) -> set[str]:
        """Return the orders that were pruned, of these ones."""
        wanted = {no: order_id for order_id, no in self.of(order_ids).items()}
        found = self._db.rows(self._pruned, (self._db.many([*wanted], int),))
        return {wanted[no] for (no,) in found}

    def note_highest(self) -> None:
        """Read the highest number in each table, after a claim."""
        for table in ("sagas", _PRUNED, *self._tables):
            ((self._highest[table],),) = self._db.rows(
                f"SELECT coalesce(max(no), 0) FROM {table}", ()
            )
        self._highest[_PRUNED] = max(self._highest.values())

    # --- within a transaction -----------------------------------------------------------------

    def number(self, cursor: Any, shards: Mapping[str, int]) -> Mapping[str, int]:
        """Assign a number to each order that has none; `shards` are by order id.

        The numbers are in the order of `shards`, so that a repeated run gives the same ones.
        Returns the numbers of all orders that are cached, by order id.
        """
        known = self._known
        new = [(key, shard) for key, shard in shards.items() if key not in known]
        if new:
            self._db.insert(cursor, self._insert, new)
            found = self._db.beside(cursor)
            found.execute(self._select, (self._db.many([key for key, _ in new], str),))
            known.update(found.fetchall())
        return known

    def check_pruned(self, cursor: Any, order_ids: Iterable[str]) -> Callable[[], None]:
        """Query whether an order was pruned after it was read for this batch.

        The returned function reads the result, and raises LostShardError if one was pruned.
        """
        known = self._known
        old = {known[each]: each for each in order_ids if self.may_be_pruned(each)}
        if not old:
            return _nothing
        answer = self._db.beside(cursor)
        answer.execute(self._pruned, (self._db.many([*old], int),))

        def check() -> None:
            for (no,) in answer.fetchall():
                raise LostShardError(f"order {old[no]} was pruned while it was handled")

        return check

    def stored(self, table: str, rows: list[Row]) -> None:
        """Note that rows, which begin with their numbers, were written to a table."""
        if table in self._highest:
            highest = max([row[0] for row in rows])
            self._highest[table] = max(self._highest[table], highest)
            self._highest[_PRUNED] = max(self._highest[_PRUNED], highest)

    def forget(self) -> None:
        """Forget all numbers: new ones were rolled back with a transaction."""
        self._known.clear()


def _nothing() -> None:
    return None
