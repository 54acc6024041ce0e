"""Moving the mark of waiting orders, by a running worker, as often as it has to be.

See `order_sagas.bridges.storage.waiting_orders`. It is moved after a few thousand orders, and not
by a timer: an idle worker is not woken for it.
"""

from order_sagas.bridges.storage.store import Store
from order_sagas.bridges.storage.waiting_orders import CHUNK, MarkRound

SHARD = 0
"""The mark belongs to no shard: the owner of this one moves it."""
CHUNKS = 4
"""By how many chunks it is moved at once, at most: the next batch waits meanwhile."""


class OrderMark:
    """Moves the mark after every CHUNK sagas that this worker has begun."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = CHUNK

    def note(self, begun: int, epochs: dict[int, int]) -> None:
        """Call it between batches, with how many sagas this worker has begun so far.

        Raises StoreUnavailableError where the database is away.
        """
        if begun < self._next:
            return
        self._next = begun + CHUNK
        if SHARD not in epochs:
            return
        mark = MarkRound(self._store)
        for _ in range(CHUNKS):
            mark.step()
            if mark.done:
                return
