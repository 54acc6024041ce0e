"""Moves the mark of waiting orders in a running worker.

The mark is explained in `order_sagas.bridges.storage.waiting_orders`. It is moved after every few
thousand orders rather than by a timer, so that an idle worker is not woken.
"""

from order_sagas.bridges.storage.store import Store
from order_sagas.bridges.storage.waiting_orders import CHUNK, MarkRound

SHARD = 0
"""The mark belongs to no shard: the owner of this one moves it."""
CHUNKS = 4
"""Maximum number of chunks by which it is moved at a time, while the next batch waits."""


class OrderMark:
    """Moves the mark after every CHUNK sagas that this worker has begun."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = CHUNK

    def note(self, begun: int, epochs: dict[int, int]) -> None:
        """Move the mark if it is due. Call it between batches.

        `begun` is the number of sagas that this worker has begun so far. Raises
        StoreUnavailableError.
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
