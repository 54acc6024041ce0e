"""Forgetting the keys of clients that are old, a few hundred at a time.

An order that got its id from its key is recognised all the same when it comes again: by its id.
What is forgotten is that a key was used, and for which order.
"""

from order_sagas.bridges.storage.store import Store

CHUNK = 500
"""Keys in one transaction."""


class KeyRound:
    """One walk over the keys that were first used before a moment (epoch seconds).

    Those of older databases do not say when that was: they count from `now`.
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
        """Forgotten so far."""
        self.done = False

    def step(self) -> None:
        """Forget a few, in one transaction; none is begun where there is nothing to do."""
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
