"""Prunes records of the embedded log that are old and handled.

A record in the queue of a role stays until the role has handled it, or, if the role has never run
on this database, until the record's order is pruned. Dead letters stay, and so does the newest
record: the next position follows from it, and no position may be used twice.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.storage.log_queues import (
    HANDLED,
    LEFT,
    LEFT_FOR_OTHERS,
    LEFT_FOR_ROLE,
    LOG,
    OF_ROLES,
)
from order_sagas.bridges.storage.store import Store

RECORDS = 3000
"""Maximum number of records of the embedded log in one transaction."""
WAITING = 10_000
"""Maximum number of records in roles' queues whose orders are read. If there are more, no order is
pruned."""


class LogRound:
    """One pass over the log, from the oldest record on.

    Only records that were appended before `before` (epoch seconds) are pruned.
    """

    def __init__(self, store: Store, before: float, *, dry: bool) -> None:
        self._store = store
        self._before = before
        self._dry = dry
        self._sql = _statements(store)
        self._record = 0
        """The last position that was read."""
        self.done = False

    def step(self, epochs: Mapping[int, int] | None) -> int:
        """Prune a small part, in one transaction; return how many records were pruned.

        Without `epochs`, those of the owned shards, records of all shards are pruned.
        """
        db = self._store.db
        rows = list(db.rows(self._sql["log"], (self._record, RECORDS)))
        old = [position for position, appended_at in rows if appended_at < self._before]
        self.done = len(old) < RECORDS
        if not old:
            return 0
        begin, self._record = self._record, max(old)
        shards = db.many([*(range(self._store.partitions) if epochs is None else epochs)], int)
        values = (begin, self._record, shards)
        if self._dry:
            ((count,),) = db.rows(f"SELECT count(*) {self._sql['handled']}", values)
            return int(count) + len(self._orphans(values))
        with db.transaction() as cursor:
            cursor.execute(f"DELETE {self._sql['handled']}", values)
            count = cursor.rowcount
            orphans = self._orphans(values)
            if orphans:
                cursor.execute(self._sql["delete"], (db.many(orphans, int),))
            return int(count) + len(orphans)

    def _orphans(self, values: tuple[Any, ...]) -> list[int]:
        """Return records of pruned orders in the queues of roles that have never run here."""
        rows = [
            (at, _order_of(value)) for at, value in self._store.db.rows(self._sql["left"], values)
        ]
        gone = self._store.orders.pruned([order_id for _, order_id in rows if order_id])
        return [at for at, order_id in rows if order_id in gone]


def orders_awaited(store: Store) -> set[str] | None:
    """Return the orders with records in the queues of roles that have run here.

    None if there are more than WAITING records. Records that are added later are about orders that
    have not ended.
    """
    sql = (
        f"SELECT l.value FROM offsets o JOIN log l ON l.handled = {LEFT_FOR_ROLE} "
        f"AND '{OF_ROLES}' || l.role = o.topic AND l.partition = o.partition "
        f"AND l.position > o.position LIMIT {WAITING + 1}"
    )
    found = [_order_of(value) for (value,) in store.db.rows(sql, ())]
    return set(found) if len(found) <= WAITING else None


class _AboutOrder(msgspec.Struct, rename="camel"):
    order_id: str = ""


_about = msgspec.json.Decoder(_AboutOrder)


def _order_of(value: bytes | None) -> str:
    """Return the order id of a record's value; empty if it has none or cannot be decoded."""
    try:
        return _about.decode(value or b"").order_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _statements(store: Store) -> dict[str, str]:
    mark, shard_in = store.db.placeholder, f"partition {store.db.is_in('int')}"
    return {
        "log": (
            f"SELECT position, appended_at FROM log WHERE position > {mark} "
            f"ORDER BY position LIMIT {mark}"
        ),
        "handled": (
            f"FROM log WHERE position > {mark} AND position <= {mark} AND {shard_in} "
            f"AND topic <> '{DEAD_LETTERS}' AND position < (SELECT max(position) FROM log) "
            f"AND (handled = {HANDLED} OR position <= (SELECT min(o.position) FROM offsets o "
            f"WHERE o.topic = CASE handled WHEN {LEFT_FOR_OTHERS} THEN '{LEFT}' "
            f"WHEN {LEFT_FOR_ROLE} THEN '{OF_ROLES}' || role ELSE '{LOG}' END "
            "AND o.partition = log.partition))"
        ),
        "left": (
            f"SELECT position, value FROM log WHERE position > {mark} AND position <= {mark} "
            f"AND {shard_in} AND handled = {LEFT_FOR_ROLE} "
            "AND position < (SELECT max(position) FROM log) AND NOT EXISTS (SELECT 1 "
            f"FROM offsets o WHERE o.topic = '{OF_ROLES}' || role)"
        ),
        "delete": f"DELETE FROM log WHERE position {store.db.is_in('bigint')}",
    }
