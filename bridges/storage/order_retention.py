"""Prunes orders that ended long ago, with all that belongs to them, a few hundred at a time.

Kept are the id and the fingerprint of an order in `order_keys`, its final status in `pruned`, and
the goods that it took in `pruned_goods`, which the audit of the stock needs.

An order is pruned when the retention time after the end of all its sagas has passed, and nothing is
outstanding: it is in a final state, no external call is pending, goods that it holds are sold, and
no message about it is deferred, or in the queue of a role that has run on this database.

Then records of the embedded log are pruned; see `log_retention`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from order_sagas.actors.entities import Entity, Order, Reservation, StockLoad
from order_sagas.actors.messages import OrderLine
from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.records.fingerprint import fingerprint
from order_sagas.bridges.storage.keywords import KeywordRound
from order_sagas.bridges.storage.log_retention import LogRound, orders_awaited
from order_sagas.bridges.storage.role_offsets import EPOCHS
from order_sagas.bridges.storage.rows import rows_of
from order_sagas.bridges.storage.store import Store

CHUNK = 300
"""Orders in one transaction; few, since batches wait for it."""

Archive = Callable[[Sequence[int]], None]
"""Archives everything stored about the orders of these numbers. Called within the transaction; when
it has returned, they may be deleted."""

_lines = msgspec.json.Decoder(tuple[OrderLine, ...])


@attrs.frozen
class Pruned:
    """Numbers of pruned orders and records of the embedded log."""

    orders: int = 0
    records: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.orders + other.orders, self.records + other.records)


class Round:
    """One pass over orders and log, from the oldest ones on.

    `before` is the moment (epoch seconds) before which an order has to have ended, and a record
    has to have been appended.
    """

    def __init__(
        self, store: Store, before: float, archive: Archive | None = None, *, dry: bool = False
    ) -> None:
        self._store = store
        self._before = before
        self._archive = archive
        self._dry = dry
        self._sql = _statements(store)
        self._order = 0
        """The last order number that was read."""
        self._orders_done = False
        self._keywords = KeywordRound(store.db)
        self._awaited = orders_awaited(store)
        self._log = LogRound(store, before, dry=dry)
        self.pruned = Pruned()

    @property
    def done(self) -> bool:
        """Whether the pass has ended."""
        return self._log.done

    def step(self, epochs: Mapping[int, int] | None, now: float) -> Pruned:
        """Prune a small part, in one transaction; return how much was pruned.

        A worker passes the epochs of its shards, and only those are pruned; LostShardError is
        raised if another worker has claimed one. Without `epochs`, all shards are pruned, which is
        safe while workers run.
        """
        pruned = Pruned()
        if not self._orders_done:
            pruned = self._some_orders(epochs, now)
        elif not self._dry and not self._keywords.done:
            self._prune_keywords(epochs, now)
        else:
            pruned = Pruned(records=self._log.step(epochs))
        self.pruned += pruned
        return pruned

    def _some_orders(self, epochs: Mapping[int, int] | None, now: float) -> Pruned:
        sql = self._sql["sagas"]
        rows = list(self._store.db.rows(sql, (self._order, CHUNK)))
        ended = {
            no: shard
            for no, shard, _, ended_at in rows
            if ended_at is not None
            and ended_at < self._before
            and self._awaited is not None
            and (epochs is None or shard in epochs)
        }
        if len(rows) < CHUNK or all(started_at >= self._before for _, _, started_at, _ in rows):
            self._orders_done = True
        else:
            self._order = rows[-1][0]
        if not ended:
            return Pruned()
        if self._dry:
            return Pruned(len(self._finished(None, [*ended])))
        return Pruned(self._prune(sorted(ended), sorted({*ended.values()}), epochs, now))

    def _prune_keywords(self, epochs: Mapping[int, int] | None, now: float) -> None:
        """Delete the keywords of blocks whose orders were all pruned."""
        blocks = self._keywords.blocks()
        if blocks:
            shards = [*(range(self._store.partitions) if epochs is None else epochs)]
            with self._store.db.transaction() as cursor:
                self._lock(cursor, shards, epochs)
                self._keywords.prune(cursor, blocks, shards, now)

    def _prune(
        self,
        numbers: Sequence[int],
        shards: Sequence[int],
        epochs: Mapping[int, int] | None,
        now: float,
    ) -> int:
        db = self._store.db
        with db.transaction() as cursor:
            self._lock(cursor, shards, epochs)
            finished = self._finished(cursor, numbers)
            if not finished:
                return 0
            if self._archive:
                self._archive(sorted(finished))
            which = (db.many(sorted(finished), int),)
            self._keep_fingerprints(cursor, finished)
            self._fold_goods(cursor, which)
            self._note(cursor, which, now)
            for statement in self._sql["deletes"]:
                cursor.execute(statement, which)
        return len(finished)

    def _lock(self, cursor: Any, shards: Sequence[int], epochs: Mapping[int, int] | None) -> None:
        """Lock the epochs of these shards against commits of batches; check those of the worker."""
        cursor.execute(self._sql["lock"], (EPOCHS, self._store.db.many(shards, int)))
        for consumer, shard, epoch in cursor.fetchall():
            ours = epochs is not None and consumer == self._store.consumer
            if ours and epochs is not None and epochs[shard] != epoch:
                raise LostShardError(f"shard {shard} was claimed by another worker")

    def _finished(self, cursor: Any, numbers: Sequence[int]) -> dict[int, bytes | None]:
        """Return those that may be pruned, each with its fingerprint."""
        values = (self._store.db.many(numbers, int), self._before)
        if cursor is None:
            rows = self._store.db.rows(self._sql["finished"], values)
        else:
            cursor.execute(self._sql["finished"], values)
            rows = cursor.fetchall()
        awaited = self._awaited or ()
        return {no: known for no, order_id, known in rows if order_id not in awaited}

    def _keep_fingerprints(self, cursor: Any, finished: Mapping[int, bytes | None]) -> None:
        """Store the fingerprint of orders that have none, before their content is deleted."""
        without = [no for no, known in finished.items() if known is None]
        if not without:
            return
        orders = rows_of(Order, self._store.db.placeholder)
        cursor.execute(self._sql["orders"], (self._store.db.many(without, int),))
        found: list[tuple[bytes, int]] = []
        for no, *row in cursor.fetchall():
            order: Any = orders.entity(tuple(row))
            found.append((fingerprint(order), no))
        if found:
            cursor.executemany(self._sql["fingerprint"], found)

    def _fold_goods(self, cursor: Any, which: tuple[Any]) -> None:
        cursor.execute(self._sql["held"], which)
        sold: Counter[tuple[str, str]] = Counter()
        for warehouse, lines in cursor.fetchall():
            for line in _lines.decode(lines):
                sold[warehouse, line.sku] += line.quantity
        if sold:
            # Sorted, so that two workers do not deadlock.
            cursor.executemany(self._sql["fold"], [(*key, sold[key]) for key in sorted(sold)])

    def _note(self, cursor: Any, which: tuple[Any], now: float) -> None:
        cursor.execute(self._sql["ends"], which)
        ends: dict[int, tuple[Any, ...]] = {}
        for no, status, code, ended_at in cursor.fetchall():
            ends.setdefault(no, (no, status, code, ended_at, now))
        cursor.executemany(self._sql["note"], [*ends.values()])


def kinds_of(store: Store) -> list[type[Entity]]:
    """Return the entity classes whose rows are pruned with their order."""
    return [kind for kind in store.entities if kind.key == ("order_id",) and kind is not StockLoad]


def _statements(store: Store) -> dict[str, Any]:
    mark, no_in = store.db.placeholder, f"no {store.db.is_in('bigint')}"
    kinds = kinds_of(store)
    owed = [
        f"NOT EXISTS (SELECT 1 FROM {kind.table} e WHERE e.no = k.no "
        f"AND e.status = '{kind.pending}')"
        for kind in kinds
        if kind.pending
    ]
    held, completed = Reservation.HELD, Order.COMPLETED
    sold = f"EXISTS (SELECT 1 FROM orders o WHERE o.no = r.no AND o.status = '{completed}')"
    conditions = [
        f"k.{no_in}",
        "NOT EXISTS (SELECT 1 FROM sagas s WHERE s.no = k.no "
        f"AND (s.ended_at IS NULL OR s.ended_at >= {mark}))",
        "NOT EXISTS (SELECT 1 FROM orders o WHERE o.no = k.no "
        f"AND o.status NOT IN ('{completed}', '{Order.CANCELLED}'))",
        "NOT EXISTS (SELECT 1 FROM reservations r WHERE r.no = k.no "
        f"AND r.status = '{held}' AND NOT {sold})",
        *owed,
        "k.order_id NOT IN (SELECT order_id FROM parked)",
    ]
    shard_in = f"partition {store.db.is_in('int')}"
    return {
        "sagas": (
            f"SELECT no, shard, started_at, ended_at FROM sagas WHERE no > {mark} "
            f"ORDER BY no, saga LIMIT {mark}"
        ),
        "lock": (
            f"SELECT consumer, partition, position FROM offsets WHERE topic = {mark} "
            f"AND {shard_in} ORDER BY consumer, partition{store.db.lock_alone}"
        ),
        "finished": (
            "SELECT k.no, k.order_id, k.fingerprint FROM order_keys k "
            f"WHERE {' AND '.join(conditions)}"
        ),
        "orders": f"SELECT no, {_columns(Order, mark)} FROM orders WHERE {no_in}",
        "fingerprint": f"UPDATE order_keys SET fingerprint = {mark} WHERE no = {mark}",
        "held": (f"SELECT warehouse, lines FROM reservations WHERE status = '{held}' AND {no_in}"),
        "fold": (
            "INSERT INTO pruned_goods (warehouse, sku, quantity) "
            f"VALUES ({mark}, {mark}, {mark}) ON CONFLICT (warehouse, sku) "
            "DO UPDATE SET quantity = pruned_goods.quantity + excluded.quantity"
        ),
        # The first saga of an order gives its status; others began later.
        "ends": f"SELECT no, status, code, ended_at FROM sagas WHERE {no_in} ORDER BY started_at",
        "note": (
            "INSERT INTO pruned (no, status, code, ended_at, pruned_at) "
            f"VALUES ({', '.join([mark] * 5)}) ON CONFLICT (no) DO NOTHING"
        ),
        "deletes": [
            f"DELETE FROM {table} WHERE {no_in}"
            for table in ("sagas", *(kind.table for kind in kinds))
        ],
    }


def _columns(kind: type[Entity], mark: str) -> str:
    fields: Iterable[str] = rows_of(kind, mark).fields
    return ", ".join(fields)
