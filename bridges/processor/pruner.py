"""Prunes in a running worker: a small part between two batches, so that batches hardly wait."""

from collections.abc import Callable
from typing import Protocol

import structlog

from order_sagas.actors.clock import Clock
from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.storage.idempotency_key_retention import KeyRound
from order_sagas.bridges.storage.operator_actions import AT_ONCE
from order_sagas.bridges.storage.order_retention import Round
from order_sagas.bridges.storage.outbox_events import CHUNK
from order_sagas.bridges.storage.store import Store

log = structlog.get_logger("processor")

LONGEST_PAUSE = 60.0
"""Maximum seconds between rounds. The interval is 1/60 of the retention time, up to this."""
LONGEST_KEY_PAUSE = 3600.0
"""The same for idempotency keys and operators' actions, which are small."""
SHORTEST_PAUSE = 1.0
"""Minimum seconds between rounds."""
REST = 3.0
"""Factor of the rest after a step: pruning takes at most a quarter of the time."""
SHORTEST_REST = 0.01
"""Minimum seconds between steps."""
KEYS_SHARD = 0
"""All but orders belongs to no shard: the owner of this shard prunes it."""


class Pruner:
    """Deletes finished orders, and old rows of other tables.

    `keep` is the retention time of the owned shards' orders after their end, `keep_keys` that of
    idempotency keys after their first use, `keep_events` that of the rows of `outbox_events`, which
    change data capture has published, `keep_actions` that of operators' actions after they were
    asked for, in seconds; None keeps them for ever.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keep: float | None,
        keep_keys: float | None = None,
        keep_events: float | None = None,
        keep_actions: float | None = None,
    ) -> None:
        self._clock = clock
        self._orders = _Orders(store, keep) if keep is not None else None
        self._kinds: list[_Kind] = [self._orders] if self._orders else []
        if keep_keys is not None:
            self._kinds.append(_Keys(store, keep_keys))
        if keep_events is not None:
            table = store.outbox_events
            self._kinds.append(_Rows("outbox_events", table.prune, CHUNK, keep_events))
        if keep_actions is not None:
            actions = store.operator_actions
            self._kinds.append(
                _Rows("operator_actions", actions.prune, AT_ONCE, keep_actions, LONGEST_KEY_PAUSE)
            )
        self._due = {kind: clock.now() + kind.pause for kind in self._kinds}
        """When the next step of each kind is due."""
        self.pause = min([kind.pause for kind in self._kinds])
        """Seconds between two rounds."""

    @property
    def orders(self) -> int:
        """Number of orders pruned so far."""
        return self._orders.pruned if self._orders else 0

    def work(self, epochs: dict[int, int]) -> float:
        """Prune a small part; return the seconds after which to call it again.

        Raises LostShardError if another worker has claimed a shard.
        """
        if not epochs:
            for kind in self._kinds:
                kind.drop()
            return self.pause
        began = self._clock.now()
        kind = min(self._kinds, key=self._due.__getitem__)
        rest = 0.0
        if self._due[kind] <= began:
            rest = self._step(kind, epochs, began)
        soonest = min(self._due.values()) - self._clock.now()
        return max(SHORTEST_REST, rest, soonest)

    def _step(self, kind: "_Kind", epochs: dict[int, int], began: float) -> float:
        """Take a step of this kind; return the seconds to rest."""
        try:
            done = kind.step(epochs, began)
        except StoreUnavailableError as error:
            log.warning("prune.waiting", error=str(error), retry_in=kind.pause)
            done = True
        now = self._clock.now()
        rest = max(SHORTEST_REST, REST * (now - began))
        self._due[kind] = now + (kind.pause if done else rest)
        return rest


class _Kind(Protocol):
    pause: float

    def step(self, epochs: dict[int, int], now: float) -> bool:
        """Prune a small part; return whether the round is complete."""
        ...

    def drop(self) -> None:
        """Drop the round: no shard is owned. The next step begins a new one."""
        ...


class _Orders:
    def __init__(self, store: Store, keep: float) -> None:
        self._store = store
        self._keep = keep
        self._round: Round | None = None
        self.pause = max(SHORTEST_PAUSE, min(LONGEST_PAUSE, keep / 60))
        self.pruned = 0

    def step(self, epochs: dict[int, int], now: float) -> bool:
        if self._round is None:
            self._round = Round(self._store, now - self._keep)
        self.pruned += self._round.step(epochs, now).orders
        if not self._round.done:
            return False
        pruned, self._round = self._round.pruned, None
        if pruned.orders or pruned.records:
            log.info("orders.pruned", orders=pruned.orders, records=pruned.records)
        return True

    def drop(self) -> None:
        self._round = None


class _Keys:
    def __init__(self, store: Store, keep: float) -> None:
        self._store = store
        self._keep = keep
        self._round: KeyRound | None = None
        self.pause = max(SHORTEST_PAUSE, min(LONGEST_KEY_PAUSE, keep / 60))

    def step(self, epochs: dict[int, int], now: float) -> bool:
        if KEYS_SHARD not in epochs:
            self._round = None
            return True
        if self._round is None:
            self._round = KeyRound(self._store, now - self._keep, now)
        self._round.step()
        if not self._round.done:
            return False
        keys, self._round = self._round.keys, None
        if keys:
            log.info("idempotency_keys.pruned", keys=keys)
        return True

    def drop(self) -> None:
        self._round = None


class _Rows:
    """Rows of a table, of which `prune` deletes at most `chunk` that are older than a moment."""

    def __init__(
        self,
        table: str,
        prune: Callable[[float], int],
        chunk: int,
        keep: float,
        longest: float = LONGEST_PAUSE,
    ) -> None:
        self._name = table
        self._prune = prune
        self._chunk = chunk
        self._keep = keep
        self._deleted = 0
        self.pause = max(SHORTEST_PAUSE, min(longest, keep / 60))

    def step(self, epochs: dict[int, int], now: float) -> bool:
        if KEYS_SHARD not in epochs:
            return True
        deleted = self._prune(now - self._keep)
        self._deleted += deleted
        if deleted == self._chunk:
            return False
        if self._deleted:
            log.info(f"{self._name}.pruned", records=self._deleted)
        self._deleted = 0
        return True

    def drop(self) -> None:
        self._deleted = 0
