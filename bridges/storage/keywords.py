"""Which blocks of order numbers may have a keyword, such as a SKU: an index for searches.

A row of `order_keywords` says that a stored order whose number is in a block has a keyword. A
search reads only the blocks that have a row. The table is much smaller than an index of every
line of every order, and hardly costs anything when orders are stored: a worker remembers the rows
that it has written, and writes nothing for an order whose keywords its block already has.

Rows are written in the transaction that stores the order. Workers do not wait for each other's
rows: each writes its own, with the lowest of its shards, whose epoch its transaction has locked.

Rows are deleted when all orders of their block were pruned, the last one KEEP seconds ago. An order
that is stored late, with a number in such a block, adds its rows again, since no worker remembers
rows for longer than RELIED_ON.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import Entity
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.schema import order_keywords

BLOCK = 2500
"""Numbers of orders in a block."""
KNOWN = 100_000
"""Maximum number of keywords of blocks that a worker remembers."""
RELIED_ON = 3600.0
"""Seconds after which a worker forgets which rows it has written."""
KEEP = 86_400.0
"""Seconds for which rows are kept after the last order of their block was pruned."""
AT_ONCE = 50
"""Maximum number of blocks that are checked for pruning in one transaction."""

_json = msgspec.json.Encoder()


def keyword_number(keyword: str) -> int:
    """Return the number by which a keyword is stored; different keywords may have the same."""
    return crc32(_json.encode(keyword))


def blocks_of(db: sa.Connection, keyword: str, low: int, top: int) -> list[tuple[int, int]]:
    """Return the blocks of numbers from `low` on and below `top` that may have the keyword.

    As ranges (first, one above the last), the newest first; adjacent blocks are one range.
    """
    block = order_keywords.c.block
    query = sa.select(block).distinct().order_by(block.desc())
    query = query.where(
        order_keywords.c.keyword == keyword_number(keyword),
        block >= low // BLOCK,
        block <= (top - 1) // BLOCK,
    )
    found: list[tuple[int, int]] = []
    for each in db.scalars(query):
        first, end = max(low, each * BLOCK), min(top, (each + 1) * BLOCK)
        if found and found[-1][0] == end:
            found[-1] = (first, found[-1][1])
        else:
            found.append((first, end))
    return found


class KeywordTable:
    """Writes the rows of the orders that a worker stores."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        mark = db.placeholder
        self._insert = (
            "INSERT INTO order_keywords (block, keyword, shard) "
            f"VALUES ({mark}, {mark}, {mark}) ON CONFLICT DO NOTHING"
        )
        self._known: dict[int, set[str]] = {}
        """The keywords of each block whose rows were written."""
        self._count = 0
        self._shard = 0
        self._since = 0.0

    def forget(self) -> None:
        """Forget which rows were written: the transaction was rolled back."""
        self._known.clear()
        self._count = 0

    def forget_old(self, now: float) -> None:
        """Forget written rows if they may have been pruned; `now` is in epoch seconds."""
        if not 0 <= now - self._since <= RELIED_ON or self._count > KNOWN:
            self._since = now
            self.forget()

    def store(
        self, cursor: Any, entities: Iterable[tuple[int, Entity]], epochs: Mapping[int, int]
    ) -> None:
        """Within a transaction that has locked the epochs: write the rows of numbered entities."""
        shard = min(epochs, default=0)
        if shard != self._shard:
            self._shard = shard
            self.forget()
        known = self._known
        new: list[tuple[int, int, int]] = []
        for no, entity in entities:
            block = no // BLOCK
            of_block = known.get(block)
            if of_block is None:
                of_block = known[block] = set()
            for keyword in entity.keywords():
                if keyword not in of_block:
                    of_block.add(keyword)
                    new.append((block, keyword_number(keyword), shard))
        if new:
            self._count += len(new)
            self._db.insert(cursor, self._insert, new)


class KeywordRound:
    """One pass over the blocks of pruned orders, from the oldest one on."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        mark = db.placeholder
        # Blocks above the highest pruned order have no pruned orders.
        self._blocks = (
            f"SELECT DISTINCT block FROM order_keywords WHERE block > {mark} "
            f"AND block * {BLOCK} <= (SELECT max(no) FROM pruned) ORDER BY block LIMIT {AT_ONCE}"
        )
        of_block = f"no >= block * {BLOCK} AND no < (block + 1) * {BLOCK}"
        self._delete = (
            f"DELETE FROM order_keywords WHERE block {db.is_in('bigint')} "
            f"AND shard {db.is_in('int')} "
            f"AND NOT EXISTS (SELECT 1 FROM orders WHERE {of_block}) "
            f"AND NOT EXISTS (SELECT 1 FROM pruned WHERE {of_block} AND pruned_at >= {mark})"
        )
        self._block = -1
        self.done = False

    def blocks(self) -> list[int]:
        """Return the next blocks to check; empty if the round is over."""
        found = [block for (block,) in self._db.rows(self._blocks, (self._block,))]
        self.done = len(found) < AT_ONCE
        if found:
            self._block = found[-1]
        return found

    def prune(self, cursor: Any, blocks: Sequence[int], shards: Sequence[int], now: float) -> None:
        """Within a transaction that has locked the epochs of the shards: delete expired rows."""
        many = self._db.many
        cursor.execute(self._delete, (many(blocks, int), many(shards, int), now - KEEP))
