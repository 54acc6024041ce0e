"""What a bridge needs of the outside, opened in the process where the bridge runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from actors.clock import Clock
from actors.sagas.outages import Outages
from actors.sagas.registry import Registry
from actors.services.service import Service
from bridges.call_runners import CallRunner
from bridges.observer import Observer, Tracing
from bridges.outage_journal import OutageJournal
from bridges.routes import Routes
from bridges.store.store import Store
from bridges.wire import Wire


def _nothing(*_: Any) -> None:
    return None


@attrs.frozen
class World:
    """The collaborators of one bridge. `tell` sends it a message from any thread.

    `flush` writes the log lines of the batch, just before its commit. `watch` is told of each
    point at which a crash would matter: "before commit", "after commit", "after publish".
    """

    store: Store
    wire: Wire
    routes: Routes
    registry: Registry
    services: Sequence[type[Service]]
    clock: Clock
    call_runner: CallRunner
    call_capacity: int
    """External calls of one service that may be under way."""
    tell: Callable[[Any], None] = _nothing
    flush: Callable[[], None] = _nothing
    watch: Callable[[str], None] = _nothing
    batch_size: int = 500
    outages: Outages = attrs.field(factory=Outages)
    journal: OutageJournal | None = None
    """What workers noted of outages; None where nobody notes any."""
    keep_finished: float | None = None
    """Seconds for which finished orders are kept; None for ever."""
    keep_idempotency_keys: float | None = None
    """The same of the keys that clients brought orders with."""
    shards: frozenset[int] | None = None
    """The shards that are this worker's for good; None for all, or for those that Kafka assigns."""
    observers: Sequence[Observer] = ()
    tracing: Tracing | None = None
    ring: Callable[[], Any] = _nothing
    """Tells the other workers that records wait for them."""
    log: Any = None
    """What the kind of bridge needs to reach its log."""
    roles: Mapping[str, str] = attrs.field(factory=dict)
    """The role that runs each receiver of messages, those included that run elsewhere."""
