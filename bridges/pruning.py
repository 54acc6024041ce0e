"""Pruning by a running worker: a little between two batches, so that nothing waits for it."""

import structlog

from actors.clock import Clock
from bridges.errors import StoreUnavailableError
from bridges.store.retention import Round
from bridges.store.store import Store

log = structlog.get_logger("bridge")

LONGEST_PAUSE = 60.0
"""Seconds between two rounds, at most; an hour's patience is looked after sixty times."""
SHORTEST_PAUSE = 1.0
REST = 3.0
"""So many times as long as it worked, it rests: pruning takes a quarter of the time at most."""
SHORTEST_REST = 0.01


class Pruner:
    """Prunes the orders of a worker's shards that ended more than `keep` seconds ago."""

    def __init__(self, store: Store, clock: Clock, keep: float) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._round: Round | None = None
        self.pause = max(SHORTEST_PAUSE, min(LONGEST_PAUSE, keep / 60))
        """Seconds between two rounds."""
        self.orders = 0
        """Pruned so far."""

    def work(self, epochs: dict[int, int]) -> float:
        """Prune a little; answers after how many seconds to call it again.

        Raises LostShardError if a shard is another's.
        """
        if not epochs:
            self._round = None
            return self.pause
        began = self._clock.now()
        if self._round is None:
            self._round = Round(self._store, began - self._keep)
        try:
            self.orders += self._round.step(epochs, began).orders
        except StoreUnavailableError as error:
            log.warning("prune.waiting", error=str(error), retry_in=self.pause)
            return self.pause
        if not self._round.done:
            return max(SHORTEST_REST, REST * (self._clock.now() - began))
        pruned, self._round = self._round.pruned, None
        if pruned.orders or pruned.records:
            log.info("orders.pruned", orders=pruned.orders, records=pruned.records)
        return self.pause
