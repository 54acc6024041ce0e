"""Deletes old idempotency keys of clients, a few hundred at a time.

After that, it is unknown that a key was used, and for which order. An order whose id was derived
from its key is still recognised by its id when it is submitted again.
"""

from order_sagas.bridges.storage.store import Store

CHUNK = 500
"""Keys in one transaction."""


class KeyRound:
    """One pass over the keys that were first used before a moment (epoch seconds).

    Keys of older databases have no time of first use: they count as first used at `now`.
    """

    def __init__(self, store: Store, before: float, now: float) -> None:
        db, mark = store.db, store.db.placeholder
        self._db = db
        self._now = now
        self._before = before
        self._ageless = f"SELECT key FROM idempotency_keys WHERE used_at IS NULL LIMIT {CHUNK}"
        self._old = (
            f"SELECT key FROM idempotency_keys WHERE used_at < {mark} "
            f"ORDER BY used_at LIMIT {CHUNK}"
        )
        one_of = f"WHERE key {db.is_in('text')}"
        self._date = f"UPDATE idempotency_keys SET used_at = {mark} {one_of}"
        self._forget = f"DELETE FROM idempotency_keys {one_of}"
        self._dated = False
        self.keys = 0
        """Number of keys deleted so far."""
        self.done = False

    def step(self) -> None:
        """Delete a chunk, in one transaction; none is begun if there is nothing to do."""
        if not self._dated:
            keys = self._keys(self._ageless, ())
            self._dated = len(keys) < CHUNK
            if keys:
                with self._db.transaction() as cursor:
                    cursor.execute(self._date, (self._now, self._db.many(keys, str)))
                return
        keys = self._keys(self._old, (self._before,))
        self.done = len(keys) < CHUNK
        if keys:
            with self._db.transaction() as cursor:
                cursor.execute(self._forget, (self._db.many(keys, str),))
            self.keys += len(keys)

    def _keys(self, sql: str, values: tuple[float, ...]) -> list[str]:
        return [key for (key,) in self._db.rows(sql, values)]
