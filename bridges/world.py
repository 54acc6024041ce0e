"""What a bridge needs of the outside, opened in the process where the bridge runs."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from thespian.actors import ActorAddress

from actors.clock import Clock
from actors.sagas.outages import Outages
from actors.sagas.registry import Registry
from actors.services.service import Service
from bridges.observer import Observer, Tracing
from bridges.outage_journal import OutageJournal
from bridges.outside import Outside
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
    outside: Outside
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


@attrs.frozen
class Connect:
    """The bridge's first message: its world, and the actors it serves."""

    world: Callable[[], World]
    coordinator: ActorAddress | None
    services: dict[str, ActorAddress]
    fatal: Callable[[BaseException], None] = _nothing
    """Told what went wrong when the bridge cannot go on."""
    apart: bool = False
    """Whether the bridge is in a process of its own, where nobody can tell it but itself."""


@attrs.frozen
class Stop:
    """Finish the batch, commit it, take no more; answered by `Stopped`."""


@attrs.frozen
class Stopped:
    """Nothing is under way any more."""


@attrs.frozen
class AskReport:
    """How are you doing? Answered by `Report`."""


@attrs.frozen
class Report:
    """A bridge since it started: what it handled, what it holds, and what went wrong last."""

    shards: list[int]
    in_flight: int
    batches: int
    records: int
    ended: int
    """Sagas that reached a final state."""
    begun_rate: float
    """Sagas begun in a second, of late."""
    ended_rate: float
    dead_letters: int
    seconds: float
    """Since it started."""
    last_error: str = ""
    pruned: int = 0
    """Orders that ended long ago, and were deleted."""


@attrs.frozen
class RecordsWaiting:
    """There may be records to read."""
